// Session: a plain context with a life time, as a workflow. Its data come and go by updates; what the machine knows is
// whether it is still there:
//
//   open        until `touched` is gone: it expires unless an update writes it anew, or is taken away
//   expired     its time was over
//   deleted     somebody deleted it
import { CallboardError, createRuntime, put, systemClock } from 'callboard'
import type { Clock, RoomLimits, Runtime, Store } from 'callboard'
import { z } from 'zod'
import { board, readSessionSettings, Sessions } from './session/index.ts'
import type { SessionSettings, SessionWorkflow } from './session/index.ts'

export { readSessionSettings, Sessions } from './session/index.ts'
export type {
  MergedSession,
  MergeOptions,
  ReadOptions,
  SessionData,
  SessionEventType,
  SessionInfo,
  SessionListener,
  SessionSettings,
  SessionValues,
  SessionWorkflow,
} from './session/index.ts'

const Input = z.strictObject({ ttlMs: z.number().positive().optional() })
const isOver = (args: Parameters<ReturnType<typeof board.when>>[0]): boolean => !board.when('touched')(args)

/** Makes the workflow for sessions of a limited size: a full one refuses what is new. `session` is the one without. */
export function createSessionWorkflow(limits?: RoomLimits): SessionWorkflow {
  return board
    .workflow({
      name: 'session',
      version: '1',
      input: Input,
      events: { delete: z.strictObject({}) },
      ...(limits === undefined ? {} : { limits }),
    })
    .createMachine({
      id: 'session',
      entry: board.write({ touched: ({ context }) => put(true, definedTtl(context.input)) }),
      initial: 'open',
      states: {
        open: { always: { guard: isOver, target: 'expired' }, on: { delete: 'deleted' } },
        expired: { type: 'final' },
        deleted: { type: 'final' },
      },
    })
}

export const session: SessionWorkflow = createSessionWorkflow()

export interface SessionsOptions {
  /** `createRuntime({ workflows: [session] })`; not closed with the sessions. */
  readonly runtime?: Runtime
  /** Where they are kept, unless a runtime is given; in memory unless given. Not closed with the sessions. */
  readonly store?: Store
  /** Variables that say what is not said here: see `readSessionSettings`. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Milliseconds from its last update until a session is over; they stay unless given. */
  readonly lifetimeMs?: number
  /** `false`: a session whose time is over stays readable until it is collected. */
  readonly expires?: boolean
  /** Milliseconds between collections in the background; `false` for none. 10,000 unless given. */
  readonly collectEveryMs?: number | false
  /** Most sessions at once; any number unless given. */
  readonly maxSessions?: number
  /** How much one session may hold. */
  readonly limits?: RoomLimits
  /** `false`: listeners are told nothing. */
  readonly emits?: boolean
  /** Told of what a listener or a collection in the background throws; nobody is unless given. */
  readonly onFailure?: (error: unknown) => void
  readonly clock?: Clock
}

const COLLECT_EVERY_MS = 10_000

/**
 * Sessions in a store: `await createSessions({ store, lifetimeMs: 3_600_000 })`.
 * @throws CallboardError `session.settings` for variables that are not valid, `session.no-backend` when they name a backend
 *   and none is given
 */
export async function createSessions(options: SessionsOptions = {}): Promise<Sessions> {
  const { env, clock = systemClock, onFailure = () => {}, limits } = options
  const settings = env === undefined ? undefined : readSessionSettings(env)
  const workflow = limits === undefined ? session : createSessionWorkflow(limits)
  const given = options.runtime ?? options.store
  if (settings !== undefined && settings.backend !== 'memory' && given === undefined) throw noBackendError(settings)
  const ownsRuntime = options.runtime === undefined
  const store = options.store === undefined ? {} : { store: options.store }
  const own = { ...store, clock: withoutHolding(clock), workflows: [workflow] }
  return new Sessions({
    runtime: options.runtime ?? (await createRuntime(own)),
    ownsRuntime,
    workflow,
    clock,
    onFailure,
    lifetimeMs: options.lifetimeMs ?? settings?.lifetimeMs ?? Number.POSITIVE_INFINITY,
    expires: options.expires ?? settings?.expires ?? true,
    collectEveryMs: intervalOf(options.collectEveryMs ?? settings?.collects ?? true),
    maxSessions: options.maxSessions ?? settings?.maxSessions ?? Number.POSITIVE_INFINITY,
    emits: options.emits ?? settings?.emits ?? true,
  })
}

function intervalOf(asked: number | boolean): number | undefined {
  if (typeof asked === 'number') return asked
  return asked ? COLLECT_EVERY_MS : undefined
}

/** The same clock, for whose timers no process stays alive. */
function withoutHolding(clock: Clock): Clock {
  const { monotonic, keepAlive } = clock
  return {
    now: () => clock.now(),
    setTimeout: (fn, ms) => {
      const id = clock.setTimeout(fn, ms)
      clock.keepAlive?.(id, false)
      return id
    },
    clearTimeout: (id) => clock.clearTimeout(id),
    ...(monotonic === undefined ? {} : { monotonic: () => monotonic.call(clock) }),
    ...(keepAlive === undefined ? {} : { keepAlive: (id) => keepAlive.call(clock, id, false) }),
  }
}

function noBackendError({ backend }: SessionSettings): CallboardError {
  const message = `the environment asks for sessions in ${backend}, and no store is given; open one and give it as \`store\`, or unset USE_REDIS_CACHING and CONTEXT_STORE_BACKEND`
  return new CallboardError('session.no-backend', message, { backend })
}

/** Without what is undefined. */
function definedTtl({ ttlMs }: z.output<typeof Input>): { readonly ttlMs?: number } {
  return ttlMs === undefined ? {} : { ttlMs }
}
