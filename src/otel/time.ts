import type { HrTime } from '@opentelemetry/api'

const MS_PER_SECOND = 1_000
const NS_PER_MS = 1_000_000

/** Milliseconds since 1970 as OpenTelemetry has it; a bare number it would take for one since the process began. */
export function timeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / MS_PER_SECOND)
  return [seconds, Math.round((ms - seconds * MS_PER_SECOND) * NS_PER_MS)]
}

/** Seconds, the unit of durations in metrics. */
export function secondsBetween(from: number, to: number): number {
  return (to - from) / MS_PER_SECOND
}
