import type { StateTree } from './state-tree.ts'

/** Words of Mermaid's and Graphviz's own, in any case; `root` is the id of Mermaid's outermost group. */
const RESERVED: ReadonlySet<string> = new Set(
  (
    'state statediagram note end class classdef style default click href direction hide scale as acctitle accdescr ' +
    'fork join choice left right root graph digraph subgraph node edge strict'
  ).split(' '),
)

/**
 * An identifier for each state that every format accepts: letters, digits and single `_`, starting with a letter. A
 * state keeps its key where that is possible; a second `waiting` becomes `review_waiting`.
 *
 * @returns path to identifier, in document order
 */
export function stateIds(tree: StateTree): ReadonlyMap<string, string> {
  const ids = new Map<string, string>()
  const taken = new Set<string>()
  for (const { path, key } of tree.states) {
    const id = firstFree([identifier(key), identifier(path)], taken)
    taken.add(id.toLowerCase())
    ids.set(path, id)
  }
  return ids
}

function identifier(text: string): string {
  const plain = text.replaceAll(/[^A-Za-z0-9]+/g, '_').replaceAll(/^_|_$/g, '')
  if (plain === '') return 's'
  // Mermaid keeps things by id in plain objects, which have a `toString` already.
  const isFree = /^[A-Za-z]/.test(plain) && !RESERVED.has(plain.toLowerCase()) && !(plain in Object.prototype)
  return isFree ? plain : `s_${plain}`
}

function firstFree(wishes: readonly string[], taken: ReadonlySet<string>): string {
  const free = (id: string): boolean => !taken.has(id.toLowerCase())
  const wish = wishes.find(free)
  if (wish !== undefined) return wish
  for (let count = 2; ; count++) {
    const id = `${wishes.at(-1)}_${count}`
    if (free(id)) return id
  }
}
