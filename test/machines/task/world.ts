// What the tests of tasks share.
import { onTestFinished } from 'vitest'
import { createRuntime } from 'callboard'
import type { Runtime, RuntimeOptions } from 'callboard'
import { createTasks, task } from 'callboard/machines/task'
import type { SlidingItem, Tasks, WorkingSet } from 'callboard/machines/task'
import { createTestClock } from '../../support/clock.ts'
import type { TestClock } from '../../support/clock.ts'

export interface TaskWorld {
  readonly clock: TestClock
  readonly runtime: Runtime
  readonly tasks: Tasks
}

export async function createTaskWorld(options: RuntimeOptions = {}): Promise<TaskWorld> {
  const clock = createTestClock()
  const runtime = await createRuntime({ clock, workflows: [task], ...options })
  onTestFinished(() => runtime.close({ runs: 'keep' }))
  return { clock, runtime, tasks: await createTasks({ runtime }) }
}

/** A patch as it comes over the wire. */
export function patchOf(expected_seq: number, set: Partial<WorkingSet> = {}): object {
  return { _schema_version: '2.1', expected_seq, set }
}

export function sliding(id: string, content: string, priority = 5, timestamp = '2026-01-01T00:00:00Z'): SlidingItem {
  return { id, content, priority, timestamp }
}

/** A text of so many tokens. */
export const tokens = (count: number): string => 'four'.repeat(count)
