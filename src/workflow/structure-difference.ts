// What is different in one structure from another, by the names that people gave to states, agents and keys.
import { canonicalJson } from '../base/index.ts'
import type { MachineStructure, StateStructure, WorkflowStructure } from './structure.ts'

/** One thing that is not as it was. */
export interface StructureDifference {
  readonly kind: 'added' | 'removed' | 'changed'
  readonly what: 'state' | 'actor' | 'key' | 'input' | 'machine'
  /** A state's path, or a name; empty for the machine itself. */
  readonly name: string
  /** What about it, where it has changed. */
  readonly fields: readonly string[]
}

type Part = Readonly<Record<string, unknown>>
type What = StructureDifference['what']

/** Sorted by what, then by name. */
export function compareStructures(before: WorkflowStructure, after: WorkflowStructure): readonly StructureDifference[] {
  const old = partsOf(before)
  const now = partsOf(after)
  const differences: StructureDifference[] = []
  for (const [id, { what, name, part }] of now) {
    const was = old.get(id)
    if (was === undefined) differences.push({ kind: 'added', what, name, fields: [] })
    else {
      const fields = changedFields(was.part, part)
      if (fields.length > 0) differences.push({ kind: 'changed', what, name, fields })
    }
  }
  for (const [id, { what, name }] of old)
    if (!now.has(id)) differences.push({ kind: 'removed', what, name, fields: [] })
  return Object.freeze(differences.sort((a, b) => compareText(a.what, b.what) || compareText(a.name, b.name)))
}

/** A difference as a phrase: `state "a.b" is gone`. */
export function describeDifference({ kind, what, name, fields }: StructureDifference): string {
  const subject = name === '' ? `the ${what}` : `${what} "${name}"`
  switch (kind) {
    case 'added':
      return `${subject} is new`
    case 'removed':
      return `${subject} is gone`
    case 'changed':
      return `${subject} has other ${fields.join(', ')}`
    default:
      throw new TypeError(`unknown difference ${String(kind satisfies never)}`)
  }
}

interface NamedPart {
  readonly what: What
  readonly name: string
  readonly part: Part
}

function partsOf(structure: WorkflowStructure): ReadonlyMap<string, NamedPart> {
  const parts = new Map<string, NamedPart>()
  const add = (what: What, name: string, part: Part): void => void parts.set(`${what} ${name}`, { what, name, part })
  addMachine(structure, '', add)
  for (const [name, key] of Object.entries(structure.keys)) add('key', name, { ...key })
  if (structure.input !== undefined) add('input', '', { schema: structure.input })
  return parts
}

/** @param place the way to a machine that another one invokes */
function addMachine(
  { id, root, actors }: MachineStructure,
  place: string,
  add: (what: What, name: string, part: Part) => void,
): void {
  add('machine', place, { id })
  addStates(root, [], (path, part) => add('state', `${place}${path}`, part))
  for (const [name, actor] of Object.entries(actors)) {
    if (actor.kind !== 'machine') add('actor', `${place}${name}`, { ...actor })
    else {
      add('actor', `${place}${name}`, { kind: actor.kind })
      addMachine(actor.machine, `${place}${name}: `, add)
    }
  }
}

function addStates(
  { states, ...own }: StateStructure,
  path: readonly string[],
  add: (path: string, part: Part) => void,
): void {
  // The root is the machine; what is said of it is said of its states.
  add(path.length === 0 ? '(root)' : path.join('.'), { type: 'atomic', ...kindOf(states), ...own })
  for (const [name, state] of Object.entries(states ?? {})) addStates(state, [...path, name], add)
}

const kindOf = (states: StateStructure['states']): Part => (states === undefined ? {} : { type: 'compound' })

function changedFields(before: Part, after: Part): readonly string[] {
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  return fields.filter((field) => canonicalJson(before[field]) !== canonicalJson(after[field])).sort()
}

function compareText(a: string, b: string): number {
  if (a === b) return 0
  return a < b ? -1 : 1
}
