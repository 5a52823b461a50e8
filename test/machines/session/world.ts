// What the tests of sessions share.
import { onTestFinished } from 'vitest'
import { createSessions } from 'callboard/machines/session'
import type { SessionEventType, Sessions, SessionsOptions } from 'callboard/machines/session'
import { createTestClock } from '../../support/clock.ts'
import type { TestClock } from '../../support/clock.ts'

export interface SessionWorld {
  readonly clock: TestClock
  readonly sessions: Sessions
  /** What listeners were told. */
  readonly told: (readonly [id: string, type: SessionEventType, data: unknown])[]
}

export async function createSessionWorld(options: SessionsOptions = {}): Promise<SessionWorld> {
  const clock = createTestClock()
  const sessions = await createSessions({ clock, ...options })
  onTestFinished(() => sessions.close())
  const told: SessionWorld['told'] = []
  sessions.on((...event) => void told.push(event))
  return { clock, sessions, told }
}
