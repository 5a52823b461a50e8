// Whether a record is one that a run could have written: what comes from a file may be anything.
import { isPlainObject } from '../base/index.ts'
import { isPriority, isWellFormedKey, SCOPES } from '../context/index.ts'
import type { CellChange, Conflict, EntryAddress, Refusal } from '../context/index.ts'
import { RECORD_KINDS } from './codec.ts'
import type { LedgerRecord, MachineState } from './record.ts'

/** What is wrong with a record, or undefined. */
export function recordProblem(record: LedgerRecord): string | undefined {
  const { seq, runId, at, kind, author, changes, conflicts, refusals, machine, globals } = record
  return (
    problem(isCount(seq, 1), 'seq') ??
    problem(typeof runId === 'string' && isWellFormedKey(runId), 'runId') ??
    problem(isInstant(at), 'at') ??
    problem(RECORD_KINDS.includes(kind), 'kind') ??
    problem(typeof author === 'string', 'author') ??
    within('asked', askedProblem(record)) ??
    firstProblem('changes', changes, changeProblem) ??
    firstProblem('conflicts', conflicts, conflictProblem) ??
    firstProblem('refusals', refusals, refusalProblem) ??
    (machine === undefined ? undefined : within('machine', machineProblem(machine))) ??
    problem(globals === undefined || (isCount(globals.seq, 1) && isInstant(globals.at)), 'globals')
  )
}

function problem(isFine: boolean, field: string): string | undefined {
  return isFine ? undefined : `${field} is not what it should be`
}

const within = (field: string, found: string | undefined): string | undefined =>
  found === undefined ? undefined : `${field}.${found}`

function firstProblem<Item>(
  field: string,
  items: readonly Item[],
  look: (item: Item) => string | undefined,
): string | undefined {
  for (const [index, item] of items.entries()) {
    const found = look(item)
    if (found !== undefined) return within(`${field}.${index}`, found)
  }
  return undefined
}

const isCount = (value: unknown, least = 0): boolean => Number.isSafeInteger(value) && (value as number) >= least
const isInstant = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value)
const isTextOrNothing = (value: unknown): boolean => value === undefined || typeof value === 'string'
const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((item: unknown) => typeof item === 'string')

/** What a run reads in what was asked, when it goes on. */
function askedProblem({ kind, asked }: LedgerRecord): string | undefined {
  const line = (isPlainObject(asked) ? asked : {}) as Readonly<Record<string, unknown>>
  switch (kind) {
    case 'step':
      return stepProblem(asked)
    case 'request':
      return requestProblem(asked)
    case 'snapshot':
      return (
        problem(typeof line['id'] === 'string' && typeof line['reason'] === 'string', 'id') ??
        problem(isPlainObject(line['metadata']), 'metadata')
      )
    case 'end':
      return problem(line['status'] === 'stopped' || line['status'] === 'error', 'status')
    case 'wait':
      return problem(isPlainObject(asked) && isWaits(line['over'], 2) && isWaits(line['until'], 3), 'until')
    case 'start': {
      const { steps = [], requests = [] } = line
      if (!Array.isArray(steps)) return problem(false, 'steps')
      if (!Array.isArray(requests)) return problem(false, 'requests')
      return firstProblem('steps', steps, stepProblem) ?? firstProblem('requests', requests, openRequestProblem)
    }
    case 'update':
    case 'event':
      return problem(isTextOrNothing(line['answers']) && isTextOrNothing(line['merges']), 'answers')
    default:
      return undefined
  }
}

const PHASES: readonly unknown[] = ['begun', 'finished', 'failed']

function stepProblem(asked: unknown): string | undefined {
  const { invocation, step, attempt, phase, retryAt } = (isPlainObject(asked) ? asked : {}) as Readonly<
    Record<string, unknown>
  >
  return (
    problem(typeof invocation === 'string' && typeof step === 'string', 'step') ??
    problem(isCount(attempt) && PHASES.includes(phase), 'attempt') ??
    problem(retryAt === undefined || isInstant(retryAt), 'retryAt')
  )
}

function requestProblem(asked: unknown): string | undefined {
  const { id, target } = (isPlainObject(asked) ? asked : {}) as Readonly<Record<string, unknown>>
  return problem(typeof id === 'string' && isPlainObject(target), 'id')
}

/** A question that a fork has brought along says what the record of one says, and who asked it when. */
function openRequestProblem(line: unknown): string | undefined {
  const { agent, askedAt } = (isPlainObject(line) ? line : {}) as Readonly<Record<string, unknown>>
  return requestProblem(line) ?? problem(typeof agent === 'string' && isInstant(askedAt), 'askedAt')
}

/** Lists of an invocation, a wait and perhaps an instant. */
function isWaits(waits: unknown, length: number): boolean {
  const isWait = (wait: unknown): boolean =>
    Array.isArray(wait) && wait.length === length && isTexts(wait.slice(0, 2)) && wait.slice(2).every(isInstant)
  return waits === undefined || (Array.isArray(waits) && waits.every(isWait))
}

const CHANGE_KINDS: readonly CellChange['kind'][] = ['put', 'drop', 'expire', 'stale', 'clear', 'evict']
const FLAGS = ['protected', 'ephemeral', 'sensitive', 'pinned', 'stale'] as const

function addressProblem({ scope, holder, key }: EntryAddress): string | undefined {
  const needsHolder = scope === 'group' || scope === 'private'
  return (
    problem(typeof key === 'string' && isWellFormedKey(key), 'key') ??
    problem(SCOPES.includes(scope), 'scope') ??
    problem(needsHolder ? typeof holder === 'string' : holder === undefined, 'holder')
  )
}

function changeProblem({ kind, cell }: CellChange): string | undefined {
  const { entry, live, exotic, size, touches, lineage } = cell
  const { value, owner, updatedBy, priority, version, createdAt, updatedAt, expiresAt, dependsOn, metadata } = entry
  return (
    problem(CHANGE_KINDS.includes(kind), 'kind') ??
    addressProblem(entry) ??
    problem(typeof owner === 'string' && typeof updatedBy === 'string', 'owner') ??
    problem(isPriority(priority), 'priority') ??
    problem(isCount(version, 1) && isCount(touches, 1), 'version') ??
    problem(isInstant(createdAt) && isInstant(updatedAt), 'updatedAt') ??
    problem(expiresAt === undefined || isInstant(expiresAt), 'expiresAt') ??
    problem(isTexts(dependsOn), 'dependsOn') ??
    problem(isPlainObject(metadata), 'metadata') ??
    problem(
      FLAGS.every((flag) => typeof entry[flag] === 'boolean'),
      'flags',
    ) ??
    problem(typeof live === 'boolean' && typeof exotic === 'boolean' && isCount(size), 'size') ??
    problem(live || value === undefined, 'value') ??
    problem(
      Array.isArray(lineage) && lineage.every((read) => typeof read?.key === 'string' && isCount(read.version)),
      'lineage',
    )
  )
}

function conflictProblem(conflict: Conflict): string | undefined {
  const { id, key, address, path, policy, author, against, version } = conflict
  return (
    problem(
      [id, key, policy, author, against].every((text) => typeof text === 'string'),
      'id',
    ) ??
    problem(isPlainObject(address), 'address') ??
    within('address', addressProblem(address)) ??
    problem(Array.isArray(path) && path.every((step) => typeof step === 'string' || isCount(step)), 'path') ??
    problem(isCount(version, 1), 'version')
  )
}

function refusalProblem({ kind, reason, key, author, message, actualVersion }: Refusal): string | undefined {
  return (
    problem(kind === 'refused', 'kind') ??
    problem(
      [reason, author, message].every((text) => typeof text === 'string'),
      'message',
    ) ??
    problem(isTextOrNothing(key), 'key') ??
    problem(actualVersion === undefined || isCount(actualVersion), 'actualVersion')
  )
}

const STATUSES: readonly MachineState['status'][] = ['active', 'done', 'error', 'stopped']

function machineProblem({
  status,
  value,
  persisted,
  context,
  timers,
  invocations,
  error,
}: MachineState): string | undefined {
  return (
    problem(STATUSES.includes(status), 'status') ??
    problem(typeof value === 'string' || isPlainObject(value), 'value') ??
    problem(isPlainObject(persisted), 'persisted') ??
    problem(isPlainObject(context), 'context') ??
    problem(
      Array.isArray(timers) &&
        timers.every(
          (timer) =>
            isPlainObject(timer) &&
            typeof timer.id === 'string' &&
            isPlainObject(timer.event) &&
            isInstant(timer.dueAt),
        ),
      'timers',
    ) ??
    problem(isCount(invocations), 'invocations') ??
    problem(error === undefined || (isPlainObject(error) && typeof error.message === 'string'), 'error')
  )
}
