// Renaming: a record of a run as it would be if the run had another id. Names of invocations, child runs and questions
// begin with the id of their run; what users wrote is never looked into.
import type { LedgerRecord, MachineState } from './record.ts'
import { withInvocations } from './persisted-children.ts'

export interface Renaming {
  readonly from: string
  readonly to: string
}

/** An id of a run or of something of it, under the run's other id; any other text as it is. */
export function renamedId(id: string, { from, to }: Renaming): string {
  return id === from || id.startsWith(`${from}.`) ? `${to}${id.slice(from.length)}` : id
}

/** @param record as `recordProblem` finds nothing wrong with */
export function renameRecord(record: LedgerRecord, renaming: Renaming): LedgerRecord {
  const { runId, machine } = record
  return Object.freeze({
    ...record,
    runId: renamedId(runId, renaming),
    asked: renameAsked(record, renaming),
    machine: machine === undefined ? undefined : renameMachine(machine, renaming),
  })
}

/** The same machine with other names for its invocations. */
export function renameMachine(machine: MachineState, renaming: Renaming): MachineState {
  const persisted = withInvocations(machine.persisted, (invocation) => renamedId(invocation, renaming))
  return Object.freeze({ ...machine, persisted })
}

type Named = Readonly<Record<string, unknown>>

function renameAsked({ kind, asked }: LedgerRecord, renaming: Renaming): unknown {
  const rename = (id: unknown): unknown => (typeof id === 'string' ? renamedId(id, renaming) : id)
  const renameFirst = ([id, ...others]: readonly unknown[]): readonly unknown[] => [rename(id), ...others]
  const line = asked as Named
  switch (kind) {
    case 'update':
    case 'event':
    case 'refusal':
      return withFields(line, { answers: rename, merges: rename })
    case 'step':
      return withFields(line, { invocation: rename })
    case 'request':
      return withFields(line, { id: rename })
    case 'wait': {
      const renameAll = (waits: unknown): unknown => (waits as readonly (readonly unknown[])[]).map(renameFirst)
      return withFields(line, { until: renameAll, over: renameAll })
    }
    case 'start': {
      const steps = (all: unknown): unknown =>
        (all as readonly Named[]).map((step) => withFields(step, { invocation: rename }))
      const requests = (all: unknown): unknown =>
        (all as readonly Named[]).map((request) => withFields(request, { id: rename }))
      return withFields(line, { steps, requests })
    }
    case 'upkeep':
    case 'snapshot':
    case 'end':
    case 'definition':
    case 'unpack':
      return asked
    default:
      throw new TypeError(`unknown kind of record ${String(kind satisfies never)}`)
  }
}

/** The same with other values in these of its fields, where it has them. */
function withFields(line: Named, fields: Readonly<Record<string, (value: unknown) => unknown>>): Named {
  if (typeof line !== 'object' || line === null) return line
  const changed = Object.entries(fields).filter(([field]) => Object.hasOwn(line, field))
  if (changed.length === 0) return line
  return { ...line, ...Object.fromEntries(changed.map(([field, change]) => [field, change(line[field])])) }
}
