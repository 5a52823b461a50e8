// A run as people at a terminal have it: they see what happens, are asked what only they know, and may end it.
import type { AnyStateMachine } from 'xstate'
import type { OpenRequest, Run, Runtime } from '../runtime/index.ts'
import type { Labels } from '../store/index.ts'
import type { WorkflowInput, WorkflowOutput } from '../workflow/index.ts'
import { askOnTerminal, readAnswer } from './ask.ts'
import { createDisplay } from './display.ts'
import type { Display } from './display.ts'
import type { EndSignal, Terminal } from './terminal.ts'

/** How it went. */
export type TerminalOutcome<Output> =
  | { readonly kind: 'done'; readonly output: Output }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** The person or the system ended the process. On a durable store the run can be gone on with, else it is stopped. */
  | { readonly kind: 'ended'; readonly signal: EndSignal }
  /** Nothing goes on without somebody outside; `explanation` says why. Requests of its child runs are among them. */
  | { readonly kind: 'waiting'; readonly requests: readonly OpenRequest[]; readonly explanation: string }

export interface StayOptions {
  readonly terminal: Terminal
  /** Write nothing and ask nobody. */
  readonly quiet?: boolean
}

export interface ResumeOptions extends StayOptions {
  /** Answers this request as soon as it is asked again. */
  readonly answer?: { readonly runId: string; readonly id: string; readonly text: string }
}

export interface TerminalRunOptions<Input> extends StayOptions {
  readonly input: Input
  readonly runId?: string
  readonly labels?: Labels
}

export interface TerminalRun<Output> {
  readonly run: Run<Output>
  readonly outcome: TerminalOutcome<Output>
}

/**
 * Starts a run and stays with it until it ends, the process is told to end, or nothing can go on by itself. Closing the
 * runtime is left to whoever made it.
 *
 * @throws CallboardError as `runtime.start` does
 */
export function runInTerminal<Machine extends AnyStateMachine>(
  runtime: Runtime,
  workflow: Machine,
  { input, runId, labels, ...options }: TerminalRunOptions<WorkflowInput<Machine>>,
): Promise<TerminalRun<WorkflowOutput<Machine>>> {
  const start = { input, ...(runId === undefined ? {} : { runId }), ...(labels === undefined ? {} : { labels }) }
  return stayInTerminal<WorkflowOutput<Machine>>(
    runtime,
    () => runtime.start<AnyStateMachine>(workflow, start),
    options,
  )
}

/**
 * Goes on with a stored run, and stays with it likewise; with one that has ended, only its outcome is given.
 *
 * @throws CallboardError as `runtime.open` does; `request.refused` when an answer is not accepted
 */
export function resumeInTerminal(
  runtime: Runtime,
  runId: string,
  options: ResumeOptions,
): Promise<TerminalRun<unknown>> {
  return stayInTerminal(runtime, () => runtime.open(runId), options)
}

/** Begins somehow, and stays with the run likewise. */
export async function stayInTerminal<Output>(
  runtime: Runtime,
  begin: () => Promise<Run>,
  { terminal, quiet = false, answer }: ResumeOptions,
): Promise<TerminalRun<Output>> {
  const display = quiet ? undefined : createDisplay(runtime, terminal)
  const over = new AbortController()
  const { promise: signalled, resolve: end } = Promise.withResolvers<EndSignal>()
  const { promise: refused, reject: refuse } = Promise.withResolvers<never>()
  refused.catch(() => {})
  const { promise: idle, resolve: giveUp } = Promise.withResolvers<void>()
  const desk =
    quiet || !terminal.isInteractive ? undefined : new Desk(terminal, display, over.signal, () => end('SIGINT'))
  const offs = [
    terminal.onSignal(end),
    terminal.onIdle(giveUp),
    runtime.on('request', ({ runId: asker, request }) => {
      const asking = runtime.get(asker)
      if (answer?.runId !== asker || answer.id !== request.id || asking === undefined) desk?.take(asking, request)
      else asking.answer(request.id, readAnswer(answer.text, request.schema)).catch(refuse)
    }),
  ]
  try {
    const run = (await begin()) as Run<Output>
    const isLasting = runtime.store.traits.durable
    const outcome = await Promise.race([
      outcomeOf(run),
      onSignal(run, signalled, isLasting),
      onIdle(runtime, run, idle),
      refused,
    ])
    return { run, outcome }
  } finally {
    over.abort()
    for (const off of offs) off()
    display?.close()
  }
}

const outcomeOf = <Output>(run: Run<Output>): Promise<TerminalOutcome<Output>> =>
  run.done.then(
    (output) => ({ kind: 'done', output }),
    (error: unknown) => ({ kind: 'failed', error }),
  )

async function onSignal(run: Run, signalled: Promise<EndSignal>, isLasting: boolean): Promise<TerminalOutcome<never>> {
  const signal = await signalled
  // The race is over from here on: what the stop makes of `run.done` is no failure.
  if (!isLasting) void run.stop(`the process was sent ${signal}`)
  return { kind: 'ended', signal }
}

async function onIdle(runtime: Runtime, run: Run, idle: Promise<void>): Promise<TerminalOutcome<never>> {
  await idle
  const family = [run, ...(await childrenOf(runtime, run.id))]
  return {
    kind: 'waiting',
    requests: family.flatMap((member) => member.requests()),
    explanation: family.map((member) => member.explain().text).join('\n'),
  }
}

/** The child runs that go on, theirs included, each behind its parent. */
async function childrenOf(runtime: Runtime, rootId: string): Promise<readonly Run[]> {
  // What is damaged in the store is none of this run's.
  const active = await runtime.store.list({ status: 'active' }, { onDamage: () => {} })
  const children = Map.groupBy(active, ({ parent }) => parent?.runId)
  const descend = async (runId: string): Promise<readonly Run[]> => {
    const found: Run[] = []
    for (const child of children.get(runId) ?? [])
      found.push(runtime.get(child.runId) ?? (await runtime.open(child.runId)), ...(await descend(child.runId)))
    return found
  }
  return descend(rootId)
}

/** Puts the questions of a run to the person one after the other. */
class Desk {
  readonly #terminal: Terminal
  readonly #display: Display | undefined
  readonly #signal: AbortSignal
  readonly #onInterrupt: () => void
  #asking: Promise<void> = Promise.resolve()

  constructor(terminal: Terminal, display: Display | undefined, signal: AbortSignal, onInterrupt: () => void) {
    this.#terminal = terminal
    this.#display = display
    this.#signal = signal
    this.#onInterrupt = onInterrupt
  }

  take(run: Run | undefined, request: OpenRequest): void {
    if (run !== undefined) this.#asking = this.#asking.then(() => this.#ask(run, request))
  }

  async #ask(run: Run, request: OpenRequest): Promise<void> {
    if (this.#signal.aborted || !run.requests().some(({ id }) => id === request.id)) return
    this.#display?.pause()
    try {
      await askOnTerminal(run, request, {
        terminal: this.#terminal,
        signal: this.#signal,
        onInterrupt: this.#onInterrupt,
      })
    } finally {
      this.#display?.resume()
    }
  }
}
