// callboard/otel: what happens in a runtime as spans and metrics of OpenTelemetry.
export { observeRuntime } from './observe.ts'
export type { ObserveOptions } from './observe.ts'
