// Limits: what one caller may ask of the server. Published at GET /api/limits.
import { CallboardError } from '../base/index.ts'

export interface ServerLimits {
  /** Bytes of a request's body. */
  readonly bodyBytes: number
  /** Bytes of a file that is sent: a pack. */
  readonly fileBytes: number
  /** Levels of JSON in a body. */
  readonly bodyDepth: number
  /** Names and items in the JSON of a body, all levels together. */
  readonly bodyParts: number
  /** Bytes of a request's headers. */
  readonly headerBytes: number
  /** Open connections, of all callers. */
  readonly connections: number
  /** Open streams, of all callers. */
  readonly streams: number
  /** Bytes that wait for the readers of streams, all together; of more, who has taken nothing for longest is cut. */
  readonly streamBytes: number
  /**
   * Requests of one token, or of one address that shows none where one is needed, per second, sustained; twice as many at
   * once. A server without tokens serves its own machine only, and as often as it likes.
   */
  readonly requestsPerSecond: number
  /** Wrong tokens of one address per minute before it is told to wait. */
  readonly wrongTokensPerMinute: number
  /** Milliseconds that a request may take to arrive. */
  readonly requestTimeoutMs: number
  /** Milliseconds that a stream waits for its reader before it is cut. */
  readonly slowReaderMs: number
  /** Milliseconds between signs of life in a stream. */
  readonly heartbeatMs: number
  /** Milliseconds after which an idempotency key is forgotten. */
  readonly idempotencyMs: number
}

export const SERVER_LIMITS: ServerLimits = Object.freeze({
  bodyBytes: 1_048_576,
  fileBytes: 67_108_864,
  bodyDepth: 72,
  bodyParts: 50_000,
  headerBytes: 16_384,
  connections: 4_000,
  streams: 2_000,
  streamBytes: 67_108_864,
  requestsPerSecond: 2_000,
  wrongTokensPerMinute: 10,
  requestTimeoutMs: 30_000,
  slowReaderMs: 30_000,
  heartbeatMs: 15_000,
  idempotencyMs: 86_400_000,
})

/** @throws CallboardError `server.option` for a limit that is unknown or no whole number above 0 */
export function limitsOf(asked: Partial<ServerLimits> = {}): ServerLimits {
  for (const [name, value] of Object.entries(asked)) {
    if (Object.hasOwn(SERVER_LIMITS, name) && Number.isSafeInteger(value) && value > 0) continue
    throw new CallboardError('server.option', `limits.${name} is ${String(value)}; limits are whole numbers above 0`, {
      name,
    })
  }
  return Object.freeze({ ...SERVER_LIMITS, ...asked })
}
