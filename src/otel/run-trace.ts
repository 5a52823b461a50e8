// RunTrace: the spans of one run, made from what listeners are told of it.
//   T1. A span has the instants of the runtime's clock, not of the moment at which it was made.
//   T2. A commit is linked to the commits that wrote what its author had read.
//   T3. Whatever is open when a run ends ends with it.
import { SpanStatusCode, trace } from '@opentelemetry/api'
import type { AttributeValue, Context, Span, SpanContext, Tracer } from '@opentelemetry/api'
import type { LedgerRecord } from '../ledger/index.ts'
import { attributesOf } from './attributes.ts'
import { timeOf } from './time.ts'
import type { Writers } from './writers.ts'

type Given = Readonly<Record<string, AttributeValue | undefined>>

/** What a step's record says that concerns a span. */
export interface StepNote {
  readonly agent: string
  readonly invocation: string
  readonly step: string
  readonly attempt: number
  readonly phase: 'begun' | 'finished' | 'failed'
}

/** One attempt of a step. */
interface StepName {
  readonly invocation: string
  readonly name: string
  readonly attempt: number
}

interface AgentTrace {
  readonly span: Span
  readonly context: Context
  /** Attempts of steps that are under way. */
  readonly steps: Map<string, { readonly span: Span; readonly at: number }>
}

/** What has spans of its own is told by no second one. */
const TOLD_OTHERWISE: ReadonlySet<LedgerRecord['kind']> = new Set(['step', 'wait'])

export class RunTrace {
  readonly runId: string
  readonly workflow: string
  readonly beganAt: number
  /** Whether it was there when it began. */
  readonly isWhole: boolean
  readonly context: Context
  readonly #tracer: Tracer
  readonly #writers: Writers
  readonly #span: Span
  readonly #agents = new Map<string, AgentTrace>()
  #state: { readonly name: string; readonly at: number } | undefined

  constructor(
    { tracer, writers, parent }: { readonly tracer: Tracer; readonly writers: Writers; readonly parent: Context },
    run: { readonly runId: string; readonly workflow: string; readonly at: number; readonly isWhole: boolean },
  ) {
    this.runId = run.runId
    this.workflow = run.workflow
    this.beganAt = run.at
    this.isWhole = run.isWhole
    this.#tracer = tracer
    this.#writers = writers
    this.#span = this.#begin(`run ${run.workflow}`, run.at, parent, {
      'callboard.workflow': run.workflow,
      ...(run.isWhole ? {} : { 'callboard.run.resumed': true }),
    })
    this.context = trace.setSpan(parent, this.#span)
  }

  beginAgent(agent: string, type: string, at: number): void {
    this.endAgent(agent, 'stopped', at)
    const names = { 'callboard.agent': agent, 'callboard.agent.type': type }
    const span = this.#begin(`agent ${agent}`, at, this.context, names)
    this.#agents.set(agent, { span, context: trace.setSpan(this.context, span), steps: new Map() })
  }

  endAgent(agent: string, outcome: string, at: number): void {
    const known = this.#agents.get(agent)
    if (known === undefined) return
    this.#agents.delete(agent)
    for (const { span } of known.steps.values()) end(span, 'stopped', at)
    end(known.span, outcome, at)
  }

  /** How many milliseconds an attempt took, when it is over. */
  step({ agent, invocation, step, attempt, phase }: StepNote, at: number): number | undefined {
    const steps = this.#agents.get(agent)?.steps
    const id = nameOf({ invocation, name: step, attempt })
    const begun = steps?.get(id)
    if (phase === 'begun') {
      const names = { 'callboard.agent': agent, 'callboard.step': step, 'callboard.attempt': attempt }
      steps?.set(id, { span: this.#begin(`step ${step}`, at, this.#contextOf(agent), names), at })
      return undefined
    }
    steps?.delete(id)
    if (begun === undefined) return undefined
    end(begun.span, phase, at)
    return at - begun.at
  }

  /** In which the code of an agent or of one of its steps runs: not the one of whoever happened to make it begin. */
  contextWithin(agent: string, step: StepName | undefined): Context | undefined {
    const known = this.#agents.get(agent)
    const attempt = step === undefined ? undefined : known?.steps.get(nameOf(step))
    return known === undefined || attempt === undefined ? known?.context : trace.setSpan(known.context, attempt.span)
  }

  beginWait(agent: string, keys: readonly string[], at: number): Span {
    const names = { 'callboard.agent': agent, 'callboard.keys': [...keys] }
    return this.#begin(`wait ${keys.join(', ') || 'for a condition'}`, at, this.#contextOf(agent), names)
  }

  /** @param at when it was stored; the record has when it was made */
  commit(record: LedgerRecord, at: number): void {
    const { kind, author, seq, changes, refusals, conflicts } = record
    if (TOLD_OTHERWISE.has(kind)) return
    const read = changes.filter((change) => change.kind === 'put').flatMap(({ cell }) => cell.lineage)
    const names = {
      'callboard.kind': kind,
      'callboard.author': author,
      'callboard.seq': seq,
      'callboard.keys': changes.map(({ key }) => key),
      'callboard.refusals': refusals.length || undefined,
      'callboard.conflicts': conflicts.length || undefined,
    }
    const writers = this.#writers.of(this.runId, read)
    const span = this.#begin(`commit ${kind}`, record.at, this.#contextOf(author), names, writers)
    span.end(timeOf(Math.max(at, record.at)))
    this.#writers.note(record, span.spanContext())
  }

  /** The state that was left, and for how many milliseconds it had been the run's. */
  enterState(name: string, at: number): { readonly name: string; readonly ms: number } | undefined {
    const left = this.#state
    if (left?.name === name) return undefined
    this.#state = { name, at }
    return left === undefined ? undefined : { name: left.name, ms: at - left.at }
  }

  end(outcome: string, at: number, error?: string): void {
    for (const agent of [...this.#agents.keys()]) this.endAgent(agent, 'stopped', at)
    if (error !== undefined) this.#span.setAttribute('error.type', error)
    end(this.#span, outcome, at)
  }

  /** Of an agent that is at work, or of the run. */
  #contextOf(agent: string): Context {
    return this.#agents.get(agent)?.context ?? this.context
  }

  #begin(name: string, at: number, parent: Context, attributes: Given, writers: readonly SpanContext[] = []): Span {
    const options = {
      startTime: timeOf(at),
      attributes: attributesOf({ 'callboard.run.id': this.runId, ...attributes }),
      links: writers.map((context) => ({ context })),
    }
    return this.#tracer.startSpan(nameFor(name), options, parent)
  }
}

/** Ends a span that says how it went. Of an error, its kind is told, never its message. */
export function end(span: Span, outcome: string, at: number): void {
  span.setAttribute('callboard.outcome', outcome)
  if (outcome === 'failed') span.setStatus({ code: SpanStatusCode.ERROR })
  span.end(timeOf(at))
}

function nameOf({ invocation, name, attempt }: StepName): string {
  return JSON.stringify([invocation, name, attempt])
}

/** A name is shown as it is, unless it looks like a credential. */
function nameFor(name: string): string {
  return String(attributesOf({ name })['name'])
}
