import { MagicString } from 'magic-string'
import { edits } from './edits/index.ts'
import type { Edit, EditContext, Proposal } from './edits/index.ts'
import { EvolutionError } from './error.ts'
import type { EditName } from './schema.ts'
import { parseSource, placeOf } from './syntax-tree.ts'
import type { SyntaxTree } from './syntax-tree.ts'

/** What an edit made of one file. */
export type Improvement =
  | {
      readonly kind: 'changed'
      readonly content: string
      readonly tree: SyntaxTree
      readonly changes: readonly ChangedPlace[]
    }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'refused'; readonly reason: string }

/** Where a change was made, in the lines of the file as it was. */
export interface ChangedPlace {
  readonly name: string
  readonly line: number
}

/** An edit that repeats is done after so many rounds; nobody nests deeper. */
const MAX_ROUNDS = 50

/** Carries one edit out on one file. A result that does not parse, or that means something else, is refused as a whole. */
export function improveFile(tree: SyntaxTree, name: EditName, context: EditContext): Improvement {
  const edit = editNamed(name)
  const changes: ChangedPlace[] = []
  let current = tree
  for (let round = 0; round < (edit.repeats ? MAX_ROUNDS : 1); round++) {
    const proposals = withoutInner(edit.propose(current, context))
    if (proposals.length === 0) break
    const outcome = applyProposals(current, edit, proposals)
    if (typeof outcome === 'string') return { kind: 'refused', reason: outcome }
    for (const { name: changed, at } of proposals) changes.push({ name: changed, line: placeOf(current, at).line })
    current = outcome
  }
  if (changes.length === 0) return { kind: 'unchanged' }
  return { kind: 'changed', content: current.bom + current.text, tree: current, changes }
}

/** The edit of a name. */
export function editNamed(name: EditName): Edit {
  const edit = edits.find((candidate) => candidate.name === name)
  if (edit) return edit
  throw new EvolutionError('evolution.unknown-edit', `no edit is called "${name}"; take one of EditName`, name)
}

/** The proposals whose changes do not lie inside of those of an earlier one. */
function withoutInner(proposals: readonly Proposal[]): readonly Proposal[] {
  let reached = -1
  return proposals.filter(({ changes }) => {
    if (changes.some(({ start }) => start < reached)) return false
    reached = changes.reduce((furthest, { end }) => Math.max(furthest, end), reached)
    return true
  })
}

/** The tree afterwards, or the reason why there is none. */
function applyProposals(tree: SyntaxTree, edit: Edit, proposals: readonly Proposal[]): SyntaxTree | string {
  const text = new MagicString(tree.text)
  for (const { start, end, text: replacement } of proposals.flatMap(({ changes }) => changes)) {
    if (start === end) text.appendLeft(start, replacement)
    else text.update(start, end, replacement)
  }
  const outcome = parseSource(tree.file, tree.bom + text.toString())
  if (outcome.kind === 'failure') {
    const { message, line, column } = outcome.failure
    return `the result does not parse: ${message} (${line}:${column})`
  }
  return edit.keepsMeaning(tree, outcome.tree, proposals) ? outcome.tree : 'the result would not mean the same'
}
