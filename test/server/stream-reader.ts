// Reads streams as clients do, for the server's tests.
import type { World } from './world.ts'
import { createServerWorld } from './world.ts'

export interface Event {
  readonly id: string
  readonly event: string
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into events of every shape
  readonly data: any
}

/** Reads the events of a stream; comments are counted. */
export class Reader {
  readonly events: Event[] = []
  comments = 0
  hasEnded = false
  #rest = ''
  readonly #wakes = new Set<() => void>()

  take(text: string): void {
    const blocks = (this.#rest + text).split('\n\n')
    this.#rest = blocks.pop() ?? ''
    for (const block of blocks) {
      if (block.startsWith(':')) this.comments += 1
      else {
        const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2)))
        this.events.push({ id: fields['id'], event: fields['event'], data: JSON.parse(fields['data']) })
      }
    }
    this.wake()
  }

  wake(): void {
    for (const wake of [...this.#wakes]) wake()
  }

  /** Resolves when something holds. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds()) return
        this.#wakes.delete(look)
        resolve()
      }
      this.#wakes.add(look)
      look()
    })
  }
}

export interface OpenedStream {
  readonly reader: Reader
  readonly status: number
  close(): Promise<void>
}

export async function follow(
  { app }: Pick<World, 'app'>,
  path: string,
  { lastId, token }: { readonly lastId?: string; readonly token?: string } = {},
): Promise<OpenedStream> {
  const response = await app.hono.request(`http://localhost${path}`, {
    headers: {
      ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  })
  const reader = new Reader()
  const source = response.body?.getReader()
  const decoder = new TextDecoder()
  const pump = async (): Promise<void> => {
    for (;;) {
      const { done, value } = (await source?.read()) ?? { done: true, value: undefined }
      if (done || value === undefined) break
      reader.take(decoder.decode(value, { stream: true }))
    }
    reader.hasEnded = true
    reader.wake()
  }
  void pump()
  return { reader, status: response.status, close: async () => source?.cancel() }
}

/** A server with the run r1, and a way to write to it. */
export async function begin(
  options: Parameters<typeof createServerWorld>[0] = {},
): Promise<World & { write(value: unknown): Promise<void> }> {
  const world = await createServerWorld(options)
  await world.ask('POST', '/api/runs', { body: { workflow: 'desk', runId: 'r1' } })
  const run = await world.runtime.open('r1')
  return { ...world, write: async (value) => void (await run.update({ 'any.a': value } as never)) }
}

export const seqs = ({ events }: Reader): readonly number[] =>
  events.filter(({ event }) => event === 'change').map(({ id }) => Number(id))
