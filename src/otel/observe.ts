// Observe: listens to a runtime and tells OpenTelemetry. It adds nothing to what listeners are told, and changes nothing.
import { context, metrics, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import type { Context, MeterProvider, Span, TracerProvider } from '@opentelemetry/api'
import { roomOf } from '../context/index.ts'
import type { LedgerRecord } from '../ledger/index.ts'
import type { Runtime, RuntimeTopics, SurroundedWork } from '../runtime/index.ts'
import { attributesOf, errorTypeOf } from './attributes.ts'
import { createMeters } from './meters.ts'
import type { Meters, RunSize } from './meters.ts'
import { end, RunTrace } from './run-trace.ts'
import type { StepNote } from './run-trace.ts'
import { secondsBetween } from './time.ts'
import { Writers } from './writers.ts'

export interface ObserveOptions {
  /** The registered one unless given. */
  readonly tracerProvider?: TracerProvider
  /** The registered one unless given. */
  readonly meterProvider?: MeterProvider
}

interface OpenWait {
  readonly span: Span
  readonly at: number
  readonly workflow: string
}

const NAME = 'callboard'
/** Runs whose spans are open at once; of more, those heard of first are ended as `let go`. */
const MOST_RUNS = 10_000

/**
 * Tells OpenTelemetry of runs, agents, steps, waits and commits of a runtime; gives the function that ends it, which ends what
 * is open. Attributes are names, numbers and outcomes: no values, no messages of errors.
 */
export function observeRuntime(runtime: Runtime, options: ObserveOptions = {}): () => void {
  const observer = new Observer(runtime, options)
  return () => observer.stop()
}

class Observer {
  readonly #runtime: Runtime
  readonly #tracer: ReturnType<TracerProvider['getTracer']>
  readonly #meters: Meters
  readonly #writers = new Writers()
  readonly #runs = new Map<string, RunTrace>()
  readonly #waits = new Map<number, OpenWait>()
  readonly #offs: readonly (() => void)[]

  constructor(runtime: Runtime, { tracerProvider = trace, meterProvider = metrics }: ObserveOptions) {
    this.#runtime = runtime
    this.#tracer = tracerProvider.getTracer(NAME)
    this.#meters = createMeters(meterProvider.getMeter(NAME))
    this.#offs = [
      runtime.on('run', ({ workflow }) => this.#meters.started(aboutWorkflow(workflow))),
      runtime.on('record', ({ record }) => this.#onRecord(record)),
      runtime.on('agent', (message) => this.#onAgent(message)),
      runtime.on('wait', (message) => this.#onWait(message)),
      runtime.on('end', (message) => this.#onEnd(message)),
      runtime.on('query', ({ runId, what }) => this.#meters.asked(this.#about(runId, { 'callboard.query': what }))),
      runtime.surroundings.add((work, run) => context.with(this.#contextOf(work), run)),
      runtime.on('deadlock', ({ runId }) => this.#meters.deadlocked(this.#about(runId))),
    ]
  }

  stop(): void {
    for (const off of this.#offs) off()
    for (const { span } of this.#waits.values()) end(span, 'let go', this.#runtime.now)
    for (const run of this.#runs.values()) run.end('let go', this.#runtime.now)
    this.#waits.clear()
    this.#runs.clear()
  }

  #onRecord(record: LedgerRecord): void {
    const { runId, kind, at, machine, refusals, conflicts } = record
    const run = this.#traceOf(runId, at, kind === 'start')
    run.commit(record, this.#runtime.now)
    this.#meters.committed(this.#about(runId, { 'callboard.kind': kind }))
    for (const { reason } of refusals) this.#meters.refused(this.#about(runId, { 'callboard.reason': reason }))
    for (const { policy } of conflicts) this.#meters.disagreed(this.#about(runId, { 'callboard.policy': policy }))
    if (kind === 'step') this.#onStep(run, record.asked as StepNote, at)
    const left = machine === undefined ? undefined : run.enterState(stateName(machine.value), at)
    if (left === undefined) return
    this.#meters.leftState(this.#about(runId, { 'callboard.state': left.name }), secondsBetween(0, left.ms))
  }

  #onStep(run: RunTrace, note: StepNote, at: number): void {
    const ms = run.step(note, at)
    if (ms === undefined) return
    this.#meters.stepped(this.#about(run.runId, { 'callboard.outcome': note.phase }), secondsBetween(0, ms))
  }

  #onAgent({ runId, agent, type, status }: RuntimeTopics['agent']): void {
    const { now } = this.#runtime
    if (status === 'running') this.#traceOf(runId, now).beginAgent(agent, type, now)
    else this.#runs.get(runId)?.endAgent(agent, status, now)
  }

  #onWait({ runId, agent, id, keys, status }: RuntimeTopics['wait']): void {
    const { now } = this.#runtime
    if (status === 'waiting') {
      const run = this.#traceOf(runId, now)
      this.#waits.set(id, { span: run.beginWait(agent, keys, now), at: now, workflow: run.workflow })
      return
    }
    const wait = this.#waits.get(id)
    if (wait === undefined) return
    this.#waits.delete(id)
    const writers =
      status === 'met'
        ? this.#writers.of(
            runId,
            keys.map((key) => ({ key })),
          )
        : []
    wait.span.addLinks(writers.map((context) => ({ context })))
    end(wait.span, status, now)
    const about = { ...aboutWorkflow(wait.workflow), 'callboard.outcome': status }
    this.#meters.waited(about, secondsBetween(wait.at, now))
  }

  #onEnd({ runId, status, error }: RuntimeTopics['end']): void {
    const run = this.#runs.get(runId)
    if (run === undefined) return
    const { now } = this.#runtime
    this.#runs.delete(runId)
    run.end(status, now, status === 'failed' ? errorTypeOf(error) : undefined)
    const about = { ...aboutWorkflow(run.workflow), 'callboard.outcome': status }
    const seconds = run.isWhole ? secondsBetween(run.beganAt, now) : undefined
    this.#meters.ended(about, { seconds, size: this.#sizeOf(runId) })
  }

  /** Spans that the code of an agent begins are below the agent's, or below its step's. */
  #contextOf({ runId, agent, invocation, step }: SurroundedWork): Context {
    const name = step === undefined ? undefined : { invocation, ...step }
    return this.#runs.get(runId)?.contextWithin(agent, name) ?? context.active()
  }

  /** The spans of a run; one that is heard of for the first time begins, or goes on from before. */
  #traceOf(runId: string, at: number, isWhole = false): RunTrace {
    const known = this.#runs.get(runId)
    if (known !== undefined) return known
    const run = this.#runtime.get(runId)
    const parentRun = run?.parent === undefined ? undefined : this.#runs.get(run.parent.runId)
    // One that begins is below the span in which it was started; one that goes on was opened by whoever came.
    const parent: Context = parentRun?.context ?? (isWhole ? context.active() : ROOT_CONTEXT)
    const about = { runId, workflow: run?.workflow ?? 'unknown', at, isWhole }
    const made = new RunTrace({ tracer: this.#tracer, writers: this.#writers, parent }, about)
    this.#runs.set(runId, made)
    this.#letGo()
    return made
  }

  #letGo(): void {
    const [oldest] = this.#runs.values()
    if (this.#runs.size <= MOST_RUNS || oldest === undefined) return
    oldest.end('let go', this.#runtime.now)
    this.#runs.delete(oldest.runId)
  }

  #sizeOf(runId: string): RunSize {
    const own = (this.#runtime.get(runId)?.entries() ?? []).filter(({ scope }) => scope !== 'global')
    return { entries: own.length, bytes: own.reduce((sum, entry) => sum + roomOf(entry).bytes, 0) }
  }

  #about(runId: string, more: Readonly<Record<string, string>> = {}): ReturnType<typeof attributesOf> {
    const workflow = this.#runs.get(runId)?.workflow ?? this.#runtime.get(runId)?.workflow ?? 'unknown'
    return attributesOf({ 'callboard.workflow': workflow, ...more })
  }
}

function aboutWorkflow(workflow: string): ReturnType<typeof attributesOf> {
  return attributesOf({ 'callboard.workflow': workflow })
}

function stateName(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
