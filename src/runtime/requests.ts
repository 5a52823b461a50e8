// Requests: what people outside are asked for. A request is open until it is answered, withdrawn or timed out; it is
// answered once.
import { z } from 'zod'
import { CallboardError } from '../base/index.ts'

/** Something a person is asked for. */
export interface OpenRequest {
  readonly id: string
  readonly runId: string
  /** The agent that asks. */
  readonly agent: string
  /** The entry to be written by the answer, or the event it becomes. */
  readonly target: { readonly key: string } | { readonly event: string }
  readonly question: string | undefined
  readonly askedAt: number
  /** JSON Schema of the answer, where the schema can be expressed so. */
  readonly schema: Readonly<Record<string, unknown>> | undefined
}

interface PendingRequest {
  readonly request: OpenRequest
  /** The agent's; undefined for a question from before a restart, until the agent has come to it again. */
  readonly waiter: Pick<PromiseWithResolvers<unknown>, 'resolve' | 'reject'> | undefined
  answering: boolean
  /** Its time ran out while an answer was under way. */
  timeout?: unknown
}

export class Requests {
  readonly #open = new Map<string, PendingRequest>()
  readonly #answered = new Set<string>()

  list(): readonly OpenRequest[] {
    return [...this.#open.values()].map(({ request }) => request)
  }

  has(id: string): boolean {
    return this.#open.has(id)
  }

  /** Opens a request; the promise is settled by its answer or withdrawal. */
  open(request: OpenRequest): Promise<unknown> {
    const { promise, ...waiter } = Promise.withResolvers<unknown>()
    const answering = this.#open.get(request.id)?.answering ?? false
    this.#open.set(request.id, { request, waiter, answering })
    return promise
  }

  /** A question that was open before a restart is open again: it may be answered before its agent comes to it. */
  reopen(request: OpenRequest): void {
    this.#open.set(request.id, { request, waiter: undefined, answering: false })
  }

  /**
   * Answers a request by `accept`; if that throws, the request stays open.
   * @throws CallboardError `request.not-open` for an id that is unknown, answered or being answered
   */
  async answer(id: string, accept: (request: OpenRequest) => Promise<unknown>): Promise<void> {
    const pending = this.#open.get(id)
    if (pending === undefined || pending.answering) {
      const why =
        this.#answered.has(id) || pending?.answering === true
          ? 'it has been answered already'
          : 'there is no such open request'
      throw new CallboardError(
        'request.not-open',
        `request ${id} cannot be answered: ${why}; run.requests() lists the open ones`,
        { id },
      )
    }
    pending.answering = true
    try {
      const answer = await accept(pending.request)
      // Its agent may have come to it meanwhile.
      const newest = this.#open.get(id)
      this.#open.delete(id)
      this.#answered.add(id)
      newest?.waiter?.resolve(answer)
    } finally {
      pending.answering = false
      const newest = this.#open.get(id)
      if (newest !== undefined) {
        newest.answering = false
        if (newest.timeout !== undefined) this.withdraw(id, newest.timeout)
      }
    }
  }

  /** Its time is up: closed without an answer, unless one is under way, which then decides. */
  expire(id: string, error: unknown): void {
    const pending = this.#open.get(id)
    if (pending?.answering === true) pending.timeout = error
    else this.withdraw(id, error)
  }

  /** Closes a request without an answer. */
  withdraw(id: string, error: unknown): void {
    const pending = this.#open.get(id)
    if (pending === undefined) return
    this.#open.delete(id)
    pending.waiter?.reject(error)
  }

  /** Closes the requests of one agent, or all. */
  withdrawAll(error: unknown, agent?: string): void {
    for (const { request } of [...this.#open.values()]) {
      if (agent === undefined || request.agent === agent) this.withdraw(request.id, error)
    }
  }
}

/** The schema as JSON Schema, or undefined where JSON Schema cannot say it. */
export function jsonSchemaOf(schema: z.ZodType | undefined): Readonly<Record<string, unknown>> | undefined {
  if (schema === undefined) return undefined
  try {
    return z.toJSONSchema(schema, { io: 'input' }) as Readonly<Record<string, unknown>>
  } catch {
    return undefined
  }
}
