// Problem: an error as an answer. Problem details (RFC 9457) with our codes; `detail` and `error` both, since some clients
// read one and some the other. Nothing of the inside gets out: what is not a mistake of the caller has a fixed sentence.
import { isCallboardError } from '../base/index.ts'
import { sentenceForAgents } from '../runtime/index.ts'
import type { Caller } from './caller.ts'

export interface Problem {
  readonly status: number
  readonly code: string
  readonly message: string
  /** In place of the message, in the form of FastAPI. */
  readonly issues?: readonly Issue[]
  readonly headers?: Readonly<Record<string, string>>
  /** Further fields of the body. */
  readonly fields?: Readonly<Record<string, unknown>>
}

/** One thing that is wrong with a request, in FastAPI's words. */
export interface Issue {
  readonly type: string
  readonly loc: readonly (string | number)[]
  readonly msg: string
  readonly input: unknown
}

const CONFLICT = 409
const INVALID = 422
const UNAVAILABLE = 503
const BROKEN = 500

/** Codes that are a caller's mistake or a matter of the moment; everything else is the server's. */
const STATUS: Readonly<Record<string, number>> = {
  'agent.resting': CONFLICT,
  'agent.unknown': 404,
  'conflict.resolved': CONFLICT,
  'conflict.unknown': 404,
  'context.evolution-unknown': 404,
  'episode.exists': CONFLICT,
  'event.invalid': INVALID,
  'event.reserved': INVALID,
  'event.unknown': INVALID,
  'mcp.package-missing': 501,
  'memory.batch-exists': CONFLICT,
  'memory.busy': UNAVAILABLE,
  'memory.closed': UNAVAILABLE,
  'memory.embedder': UNAVAILABLE,
  'memory.full': UNAVAILABLE,
  'memory.id-taken': CONFLICT,
  'memory.invalid-change': INVALID,
  'memory.invalid-reader': INVALID,
  'memory.option': INVALID,
  'memory.secret': INVALID,
  'memory.unreachable': UNAVAILABLE,
  'memory.unknown-batch': 404,
  'memory.unknown-item': 404,
  'ledger.wrong-key': INVALID,
  'pack.unsupported': INVALID,
  'pack.unlisted': INVALID,
  'pack.trimmed': 410,
  'pack.too-large': 413,
  'pack.path': INVALID,
  'pack.not-an-archive': INVALID,
  'pack.missing': INVALID,
  'pack.manifest': INVALID,
  'pack.link': INVALID,
  'pack.incompatible': INVALID,
  'pack.hash': INVALID,
  'pack.duplicate': INVALID,
  'pack.damaged': INVALID,
  'pack.content': INVALID,
  'policy.refused': INVALID,
  'policy.unknown': INVALID,
  'request.not-open': CONFLICT,
  'request.refused': INVALID,
  'run.active': CONFLICT,
  'run.definition-changed': CONFLICT,
  'run.exists': CONFLICT,
  'run.finished': CONFLICT,
  'run.input': INVALID,
  'run.invalid-id': INVALID,
  'run.labels': INVALID,
  'run.migration-failed': CONFLICT,
  'run.left': UNAVAILABLE,
  'run.no-such-seq': 404,
  'run.overtaken': CONFLICT,
  'run.stopped': CONFLICT,
  'run.taken-back': UNAVAILABLE,
  'run.trimmed': 410,
  'run.unknown': 404,
  'runtime.closed': UNAVAILABLE,
  'runtime.full': CONFLICT,
  'server.body': INVALID,
  'server.forbidden': 403,
  'server.host': 421,
  'server.idempotency-open': CONFLICT,
  'server.idempotency-reused': INVALID,
  'server.invalid': INVALID,
  'server.method': 405,
  'server.no-token': 401,
  'server.not-found': 404,
  'server.origin': 403,
  'server.stopping': UNAVAILABLE,
  'server.streams': 429,
  'server.too-large': 413,
  'server.too-many': 429,
  'server.wrong-token': 401,
  'session.busy': UNAVAILABLE,
  'session.limit': CONFLICT,
  'session.reserved-key': INVALID,
  'session.taken': CONFLICT,
  'session.unknown': 404,
  'snapshot.format': CONFLICT,
  'store.busy': UNAVAILABLE,
  'store.conflict': CONFLICT,
  'store.full': UNAVAILABLE,
  'store.closed': UNAVAILABLE,
  'store.too-big': 413,
  'task.invalid': INVALID,
  'task.size': INVALID,
  'value.malformed': INVALID,
  'value.unknown-tag': INVALID,
  'value.unsupported': INVALID,
  'view.absent': 404,
  'view.invalid-budget': INVALID,
  'workflow.unregistered': CONFLICT,
}

/** Why an update was refused, as a status. */
const REFUSED: Readonly<Record<string, number>> = {
  'expected-version': CONFLICT,
  'expected-seq': CONFLICT,
  'concurrent-change': CONFLICT,
  'run-finished': CONFLICT,
  'not-writable': 403,
  scope: 403,
  protected: 403,
}

/** What the error that somebody threw is to its caller. */
export function problemOf(error: unknown): Problem {
  if (isProblem(error)) return error.problem
  if (!isCallboardError(error)) return internal('server.failed')
  const { code, message, details } = error
  if (code === 'update.refused') {
    const reason = String(details['reason'])
    return { status: REFUSED[reason] ?? INVALID, code, message, fields: { reason, refusal: details['refusal'] } }
  }
  const status = STATUS[code]
  if (status === undefined) return internal(code)
  if (status === UNAVAILABLE) return { status, code, message: UNAVAILABLE_SENTENCE, headers: { 'retry-after': '1' } }
  return { status, code, message }
}

/** What an error is to one caller. */
export function problemFor({ role }: Pick<Caller, 'role'>, error: unknown): Problem {
  const problem = problemOf(error)
  const message = role === 'agent' ? sentenceForAgents(problem.code) : undefined
  return message === undefined ? problem : { ...problem, message }
}

const UNAVAILABLE_SENTENCE = 'the server cannot do this at the moment; try again'

/** The code of a failure of ours is stable and may be told; its sentence may name files. */
function internal(code: string): Problem {
  return { status: BROKEN, code, message: 'the server failed at this; its log has the reason under the request id' }
}

const PROBLEM: unique symbol = Symbol.for('callboard.problem') as never

/** Something thrown that is a problem already. */
export interface ThrownProblem extends Error {
  readonly problem: Problem
}

export function thrown(problem: Problem): ThrownProblem {
  return Object.assign(new Error(problem.message), { problem, [PROBLEM]: true })
}

function isProblem(error: unknown): error is ThrownProblem {
  return typeof error === 'object' && error !== null && PROBLEM in error
}

/** Ours at the root, where AoS clients have their surface: what is not known there is theirs. */
const OWN_PATHS: ReadonlySet<string> = new Set(['/health', '/openapi.json', '/mcp'])

/** Whether a path is in the wire format of AoS or S1, whose problems are plain JSON. */
export function isAos(path: string): boolean {
  return path.startsWith('/api/context/') || !(path.startsWith('/api/') || OWN_PATHS.has(path))
}

/** The body of the answer. */
export function bodyOf(problem: Problem, requestId: string): Readonly<Record<string, unknown>> {
  const { status, code, message, issues, fields } = problem
  return {
    type: 'about:blank',
    title: titleOf(status),
    status,
    code,
    detail: issues ?? message,
    error: message,
    requestId,
    ...fields,
  }
}

export const titleOf = (status: number): string => TITLES[status] ?? 'Error'

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
}
