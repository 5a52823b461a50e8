// Drives charts through a runtime, or as plain XState machines, and says what they look like after every step.
import { createActor } from 'xstate'
import type { AnyActorRef } from 'xstate'
import { createRuntime } from 'callboard'
import type { Run, Runtime, Store } from 'callboard'
import { createTestClock } from 'callboard/testing'
import type { TestClock } from 'callboard/testing'
import { plainFrom, stepsOf, trace, workflowFrom } from './chart.ts'
import type { Chart, Step } from './chart.ts'
import { showText } from './show.ts'

export const BEGAN_AT = Date.UTC(2026, 0, 1)

/** A chart at work, in one process. */
export interface Driven {
  /** How it looks, and what its actions have done since the last look. */
  look(): string
  step(step: Step): Promise<void>
  close(): Promise<void>
}

/** The time that has passed when the steps before this one are over. */
export function elapsedAt(chart: Chart, index: number): number {
  let elapsed = 0
  for (const step of stepsOf(chart).slice(0, index)) if ('after' in step) elapsed += step.after
  return elapsed
}

/** Begins a chart as a run of a store, or goes on with it at an instant. */
export async function driveRun(chart: Chart, store: Store, goOn?: { readonly at: number }): Promise<Driven> {
  const clock = createTestClock(goOn?.at ?? BEGAN_AT)
  const workflow = workflowFrom(chart)
  let root: AnyActorRef | undefined
  const inspect = (event: unknown): void => {
    const { type, actorRef, rootId } = event as { type: string; actorRef: AnyActorRef; rootId: string }
    if (type === '@xstate.actor' && actorRef.sessionId === rootId) root = actorRef
  }
  const runtime: Runtime = await createRuntime({ store, clock, workflows: [workflow], inspect })
  const began = goOn === undefined ? runtime.start(workflow, { runId: chart.name }) : runtime.open(chart.name)
  const run: Run = await began
  run.on('*', ({ type }) => trace.push(`emitted ${type}`))
  await clock.settle()
  return {
    look: () => showText({ ...lookOf(root), done: trace.splice(0) }),
    step: (step) => take(step, clock, async (event) => void (await run.send(event))),
    close: () => runtime.close(),
  }
}

/** The same machine by itself. */
export async function drivePlain(chart: Chart): Promise<Driven> {
  const clock = createTestClock(BEGAN_AT)
  const actor = createActor(plainFrom(chart), { clock: clock as never, logger: () => {} })
  actor.subscribe({ error: () => {} })
  actor.start()
  actor.on('*', ({ type }: { type: string }) => trace.push(`emitted ${type}`))
  await clock.settle()
  return {
    look: () => showText({ ...lookOf(actor), done: trace.splice(0) }),
    step: (step) => take(step, clock, async (event) => actor.send(event)),
    close: async () => void actor.stop(),
  }
}

async function take(step: Step, clock: TestClock, send: (event: { type: string }) => Promise<void>): Promise<void> {
  if ('after' in step) await clock.advance(step.after)
  else await send(step)
  await clock.settle()
}

/** An actor and those inside it, without what only a runtime or only XState has. */
function lookOf(actor: AnyActorRef | undefined): object {
  const snapshot = (actor?.getSnapshot() ?? {}) as Record<string, unknown>
  const { status, value, context, output, error, children = {}, tags } = snapshot
  const { board: _board, input: _input, ...rest } = (context ?? {}) as Record<string, unknown>
  return {
    status,
    value,
    context: typeof context === 'object' ? rest : context,
    output,
    error: error instanceof Error ? error.message : (error as { message?: string } | undefined)?.message,
    tags: tags instanceof Set ? [...tags] : [],
    // What has ended has ended with its children.
    children:
      status !== 'active'
        ? {}
        : Object.fromEntries(
            Object.entries(children as Record<string, AnyActorRef>).map(([id, child]) => [id, lookOf(child)]),
          ),
  }
}
