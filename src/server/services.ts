// What a server gives to its operations.
import type { Clock } from '../base/index.ts'
import type { ServerBook } from './book.ts'
import type { Caller } from './caller.ts'
import type { Feeds } from './feed.ts'
import type { ServerLimits } from './limits.ts'
import type { McpDoors } from './mcp-doors.ts'
import type { Problem } from './problem.ts'
import type { Streams } from './streams.ts'

export interface ServerServices {
  readonly clock: Clock
  readonly limits: ServerLimits
  readonly book: ServerBook
  readonly streams: Streams
  readonly feeds: Feeds
  readonly mcp: McpDoors
  /** Commits to memory need no milestone (AOS_TEST_MODE). */
  readonly testMode: boolean
  /** What an error is to a caller; failures of ours are told to the log. */
  readonly problemOf: (error: unknown, call: { readonly requestId: string; readonly caller: Caller }) => Problem
}
