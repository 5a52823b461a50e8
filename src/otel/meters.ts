// Meters: the numbers of a runtime, by the names they are exported under.
import type { Attributes, Meter } from '@opentelemetry/api'

/** What is counted; attributes in brackets. */
export interface Meters {
  /** Runs that began (workflow). */
  started(attributes: Attributes): void
  /** Runs that ended (workflow, outcome), how long they took, and how large their context was then. */
  ended(attributes: Attributes, measured: { readonly seconds: number | undefined; readonly size: RunSize }): void
  /** Commits (workflow, kind). */
  committed(attributes: Attributes): void
  /** Refused updates (workflow, reason). */
  refused(attributes: Attributes): void
  /** Disagreements that a policy decided (workflow, policy). */
  disagreed(attributes: Attributes): void
  /** How long a run was in a state (workflow, state). */
  leftState(attributes: Attributes, seconds: number): void
  /** How long agents waited (workflow, outcome). */
  waited(attributes: Attributes, seconds: number): void
  /** How long attempts of steps took (workflow, outcome). */
  stepped(attributes: Attributes, seconds: number): void
  /** Comparisons and exports (workflow, what). */
  asked(attributes: Attributes): void
  /** Deadlocks (workflow). */
  deadlocked(attributes: Attributes): void
}

export interface RunSize {
  readonly entries: number
  readonly bytes: number
}

/** Makes the instruments, once. */
export function createMeters(meter: Meter): Meters {
  const counter = (name: string, unit: string, description: string) =>
    meter.createCounter(`callboard.${name}`, { unit, description })
  const histogram = (name: string, unit: string, description: string) =>
    meter.createHistogram(`callboard.${name}`, { unit, description })
  const started = counter('runs.started', '{run}', 'Runs that began')
  const ended = counter('runs.ended', '{run}', 'Runs that ended')
  const duration = histogram('run.duration', 's', 'From the beginning of a run to its end')
  const entries = histogram('run.entries', '{entry}', 'Entries of a run at its end')
  const size = histogram('run.size', 'By', 'Keys and values of a run at its end, as JSON')
  const commits = counter('commits', '{commit}', 'Records that were committed')
  const refusals = counter('refusals', '{update}', 'Updates that were refused')
  const conflicts = counter('conflicts', '{conflict}', 'Disagreements that a policy decided')
  const states = histogram('phase.duration', 's', 'How long runs were in a state')
  const waits = histogram('wait.duration', 's', 'How long agents waited for entries')
  const steps = histogram('step.duration', 's', 'How long attempts of steps took')
  const queries = counter('queries', '{query}', 'Comparisons and exports of runs')
  const deadlocks = counter('deadlocks', '{deadlock}', 'Runs in which everybody waited for somebody')
  return {
    started: (attributes) => started.add(1, attributes),
    ended: (attributes, { seconds, size: room }) => {
      ended.add(1, attributes)
      if (seconds !== undefined) duration.record(seconds, attributes)
      entries.record(room.entries, attributes)
      size.record(room.bytes, attributes)
    },
    committed: (attributes) => commits.add(1, attributes),
    refused: (attributes) => refusals.add(1, attributes),
    disagreed: (attributes) => conflicts.add(1, attributes),
    leftState: (attributes, seconds) => states.record(seconds, attributes),
    waited: (attributes, seconds) => waits.record(seconds, attributes),
    stepped: (attributes, seconds) => steps.record(seconds, attributes),
    asked: (attributes) => queries.add(1, attributes),
    deadlocked: (attributes) => deadlocks.add(1, attributes),
  }
}
