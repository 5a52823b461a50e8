// Step: run a function once, with retries, a timeout, and a record of what came of it.
import { admitValue, CallboardError, faultPoint } from '../base/index.ts'
import type { Deadlines, Clock } from '../base/index.ts'
import type { StepContext, StepOptions } from '../workflow/index.ts'
import type { Journal } from './journal.ts'

/** What a step needs of the agent that runs it. */
export interface StepHost {
  readonly runId: string
  readonly agentId: string
  readonly invocation: string
  readonly signal: AbortSignal
  readonly journal: Journal
  readonly clock: Clock
  readonly deadlines: Deadlines
  readonly random: () => number
  /** Stores a line about the step; resolves when it is durable. */
  readonly record: (line: StepLine) => Promise<void>
}

export interface StepLine {
  readonly agent: string
  readonly invocation: string
  readonly step: string
  readonly attempt: number
  readonly phase: 'begun' | 'finished' | 'failed'
  readonly result?: unknown
  readonly error?: string
  /** When the next attempt is due. */
  readonly retryAt?: number
}

const DEFAULT_BACKOFF_MS = 200
const DEFAULT_MAX_BACKOFF_MS = 30_000

/**
 * @throws CallboardError `step.failed` after the last attempt, with its error as the cause; the signal's reason when the
 *   agent is stopped
 */
export async function runStep<Result>(
  host: StepHost,
  stepKey: string,
  run: (context: StepContext) => Result | Promise<Result>,
  options: StepOptions,
): Promise<Awaited<Result>> {
  const { journal, invocation, agentId: agent } = host
  const known = journal.get(invocation, stepKey)
  if (known.finished) return known.result as Awaited<Result>
  const lastAttempt = Math.max(known.attempts + 1, 1 + (options.retries ?? 0))
  if (known.retryAt !== undefined) await pauseUntil(host, known.retryAt)
  for (let attempt = known.attempts + 1; ; attempt++) {
    host.signal.throwIfAborted()
    await host.record({ agent, invocation, step: stepKey, attempt, phase: 'begun' })
    host.signal.throwIfAborted()
    try {
      faultPoint('step:before')
      const result = admitResult(host, stepKey, await attemptStep(host, stepKey, attempt, run, options.timeoutMs))
      faultPoint('step:after')
      await host.record({ agent, invocation, step: stepKey, attempt, phase: 'finished', result })
      faultPoint('step:recorded')
      return journal.get(invocation, stepKey).result as Awaited<Result>
    } catch (error) {
      host.signal.throwIfAborted()
      const message = error instanceof Error ? error.message : String(error)
      const isLast = attempt >= lastAttempt || options.retryOn?.(error) === false
      const retryAt = isLast ? undefined : host.clock.now() + backoffOf(attempt, options, host.random)
      await host.record({
        agent,
        invocation,
        step: stepKey,
        attempt,
        phase: 'failed',
        error: message,
        ...(retryAt === undefined ? {} : { retryAt }),
      })
      if (retryAt === undefined) throw stepFailed(host, stepKey, attempt, error)
      await pauseUntil(host, retryAt)
    }
  }
}

/** Milliseconds before the next attempt: exponential with equal jitter (M. Brooker, "Exponential Backoff And Jitter", 2015). */
function backoffOf(attempt: number, options: StepOptions, random: () => number): number {
  const { backoffMs = DEFAULT_BACKOFF_MS, maxBackoffMs = DEFAULT_MAX_BACKOFF_MS } = options
  const full = Math.min(maxBackoffMs, backoffMs * 2 ** (attempt - 1))
  return full / 2 + (full / 2) * random()
}

async function attemptStep<Result>(
  { invocation, signal, deadlines, clock, agentId }: StepHost,
  stepKey: string,
  attempt: number,
  run: (context: StepContext) => Result | Promise<Result>,
  timeoutMs: number | undefined,
): Promise<Awaited<Result>> {
  const controller = new AbortController()
  const stop = (): void => controller.abort(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  const aborted = new Promise<never>((_resolve, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error), { once: true })
  })
  aborted.catch(() => {})
  const deadline =
    timeoutMs === undefined
      ? undefined
      : deadlines.add(clock.now() + timeoutMs, () =>
          controller.abort(
            new CallboardError(
              'step.timeout',
              `step "${stepKey}" of ${agentId} took longer than ${timeoutMs} ms; raise timeoutMs or make it do less`,
              { step: stepKey, agent: agentId, timeoutMs },
            ),
          ),
        )
  try {
    const context = { attempt, idempotencyKey: `${invocation}/${stepKey}`, signal: controller.signal }
    return await Promise.race([Promise.resolve(run(context)), aborted])
  } finally {
    deadline?.cancel()
    signal.removeEventListener('abort', stop)
  }
}

/** A result is recorded, so it has to be plain data; nothing (undefined) is fine. */
function admitResult({ agentId }: StepHost, stepKey: string, result: unknown): unknown {
  if (result === undefined) return undefined
  try {
    return admitValue(result).value
  } catch (error) {
    throw new CallboardError(
      'step.result',
      `step "${stepKey}" of ${agentId} gave a result that cannot be recorded: ${String((error as Error).message)}`,
      { step: stepKey, agent: agentId },
      { cause: error },
    )
  }
}

function stepFailed({ runId, agentId }: StepHost, stepKey: string, attempt: number, cause: unknown): CallboardError {
  const message = cause instanceof Error ? cause.message : String(cause)
  const times = attempt === 1 ? 'once' : `${attempt} times`
  return new CallboardError(
    'step.failed',
    `run ${runId}: step "${stepKey}" of ${agentId} was tried ${times} and failed: ${message}`,
    { runId, agent: agentId, step: stepKey, attempts: attempt },
    { cause },
  )
}

function pauseUntil({ deadlines, signal }: StepHost, at: number): Promise<void> {
  if (signal.aborted) return Promise.reject(signal.reason as Error)
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      deadline.cancel()
      reject(signal.reason as Error)
    }
    const deadline = deadlines.add(at, () => {
      signal.removeEventListener('abort', stop)
      resolve()
    })
    signal.addEventListener('abort', stop, { once: true })
  })
}
