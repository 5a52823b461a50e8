// A runtime that is observed: by the real tracer of OpenTelemetry, and by a meter that keeps what it is told.
import { onTestFinished } from 'vitest'
import { createNoopMeter } from '@opentelemetry/api'
import type { Attributes, Meter, Tracer } from '@opentelemetry/api'
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import type { RuntimeOptions } from 'callboard'
import { observeRuntime } from 'callboard/otel'
import { createWorld } from '../runtime/world.ts'
import type { World } from '../runtime/world.ts'

export interface Measurement {
  readonly name: string
  readonly value: number
  readonly attributes: Attributes
}

export interface Observed extends World {
  readonly measured: readonly Measurement[]
  /** What the code of users begins its spans with. */
  readonly tracer: Tracer
  /** What has ended so far, in that order. */
  spans(): readonly ReadableSpan[]
  spanOf(name: string): ReadableSpan
  stop(): void
}

export async function createObserved(options: RuntimeOptions = {}): Promise<Observed> {
  const world = await createWorld(options)
  const exporter = new InMemorySpanExporter()
  const tracerProvider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  const measured: Measurement[] = []
  const meter = keepingMeter(measured)
  const stop = observeRuntime(world.runtime, { tracerProvider, meterProvider: { getMeter: () => meter } })
  onTestFinished(stop)
  const spans = (): readonly ReadableSpan[] => exporter.getFinishedSpans()
  const spanOf = (name: string): ReadableSpan => {
    const [span, ...more] = spans().filter((one) => one.name === name)
    if (span === undefined || more.length > 0)
      throw new Error(`${more.length + (span ? 1 : 0)} spans are named ${name}`)
    return span
  }
  return { ...world, tracer: tracerProvider.getTracer('test'), measured, spans, spanOf, stop }
}

/** Of the interface of OpenTelemetry; the SDK for metrics is no part of this project. */
function keepingMeter(measured: Measurement[]): Meter {
  const keep =
    (name: string) =>
    (value: number, attributes: Attributes = {}): void =>
      void measured.push({ name, value, attributes })
  const meter = createNoopMeter()
  meter.createCounter = (name) => ({ add: keep(name) })
  meter.createHistogram = (name) => ({ record: keep(name) }) as never
  return meter
}

/** Milliseconds since 1970. */
export function msOf([seconds, nanos]: readonly [number, number]): number {
  return seconds * 1_000 + nanos / 1_000_000
}
