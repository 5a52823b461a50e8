import type { ModuleGraph } from '../module-graph.ts'
import type { Conventions, EditName, IssueKind, TaskKind } from '../schema.ts'
import type { SyntaxTree } from '../syntax-tree.ts'

/** A replacement in a text; `start === end` inserts. */
export interface TextChange {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** What an edit would do about one issue. */
export interface Proposal {
  readonly issue: IssueKind
  /** The offset at which the analysis reports the issue. */
  readonly at: number
  readonly name: string
  readonly changes: readonly TextChange[]
}

/** What edits know beside the file. */
export interface EditContext {
  readonly conventions: Conventions
  readonly graph: Pick<ModuleGraph, 'isInert'>
  /** The compiler drops imports that nothing uses. */
  readonly elidesImports: boolean
  /** Loading a module of this package has no effect, by its own word. */
  readonly sideEffectFree: boolean
  /** What somebody has written about an exported name, on one line. */
  readonly commentFor?: (file: string, name: string) => string | undefined
}

/**
 * One kind of safe change. `propose` is called for the file as it is now, may not look at anything else, and proposes
 * nothing once its changes are made. `keepsMeaning` is called with the file before and after those changes: false takes
 * all of them back. Neither may throw for a file that parses.
 */
export interface Edit {
  readonly name: EditName
  readonly kind: TaskKind
  /** Proposals may lie inside of each other: the outer ones are carried out first, then it is asked again. */
  readonly repeats: boolean
  propose(tree: SyntaxTree, context: EditContext): readonly Proposal[]
  keepsMeaning(before: SyntaxTree, after: SyntaxTree, proposals: readonly Proposal[]): boolean
}
