import { commentsBefore, isDirective } from '../documentation.ts'
import { fingerprint } from '../fingerprint.ts'
import type { SyntaxTree } from '../syntax-tree.ts'
import { findUnusedImports } from '../unused-names.ts'
import type { UnusedImport } from '../unused-names.ts'
import type { Edit, EditContext, Proposal, TextChange } from './edit.ts'

type ImportStatement = Extract<UnusedImport['statement'], { type: 'ImportDeclaration' }>

/**
 * Takes out imported names that nothing uses. A statement goes as a whole only where that cannot keep a module with
 * effects from being loaded; statements with comments inside or behind are left to people.
 */
export const removeImports: Edit = {
  name: 'remove-imports',
  kind: 'refactor',
  repeats: false,
  propose(tree, context) {
    const byStatement = Map.groupBy(findUnusedImports(tree), ({ statement }) => statement)
    const proposals = [...byStatement].flatMap(([statement, unused]) =>
      proposeFor(tree, statement as ImportStatement, unused, context),
    )
    return isStillModule(tree, proposals) ? proposals : []
  },
  keepsMeaning(before, after, proposals) {
    const omit = (node: { type: string }) => node.type === 'ImportDeclaration'
    if (fingerprint(before.program, { omit }) !== fingerprint(after.program, { omit })) return false
    const gone = new Set(proposals.map(({ name }) => name))
    const expected = importedNames(before).filter((name) => !gone.has(name))
    return expected.join() === importedNames(after).join()
  },
}

function proposeFor(
  tree: SyntaxTree,
  statement: ImportStatement,
  unused: readonly UnusedImport[],
  context: EditContext,
): Proposal[] {
  const { comments } = tree
  if (comments.some(({ start, end }) => start >= statement.start && end <= statement.end)) return []
  if (commentsBefore(tree, statement.start).some(isDirective)) return []
  const whole = unused.length === statement.specifiers.length
  if (whole && !isRemovable(tree, statement, context)) return []
  const changes = whole ? removeStatement(tree, statement) : removeSpecifiers(tree, statement, unused)
  return unused.map(({ name, at }, index) => ({
    issue: 'unused-import',
    at,
    name,
    changes: index === 0 ? changes : [],
  }))
}

/** Whether a statement stands on lines of its own and its module need not be loaded. */
function isRemovable(tree: SyntaxTree, statement: ImportStatement, context: EditContext): boolean {
  const { text } = tree
  const before = text.slice(text.lastIndexOf('\n', statement.start - 1) + 1, statement.start)
  const behind = text.slice(statement.end, endOfLine(text, statement.end))
  if (before.trim() !== '' || behind.trim() !== '') return false
  if (statement.importKind === 'type' || (context.elidesImports && tree.language === 'ts')) return true
  const specifier = statement.source.value
  return context.graph.isInert(tree.file, specifier) || (context.sideEffectFree && specifier.startsWith('.'))
}

/** With its line, and with the blank line behind it where it would be the second in a row. */
function removeStatement({ text }: SyntaxTree, { start, end }: ImportStatement): TextChange[] {
  const from = text.lastIndexOf('\n', start - 1) + 1
  const to = endOfLine(text, end)
  const blankBefore = from === 0 || /\n[ \t]*\r?\n$/.test(text.slice(0, from))
  const blankBehind = /^[ \t]*\r?\n/.exec(text.slice(to))
  return [{ start: from, end: blankBefore && blankBehind ? to + blankBehind[0].length : to, text: '' }]
}

function removeSpecifiers(
  { text }: SyntaxTree,
  statement: ImportStatement,
  unused: readonly UnusedImport[],
): TextChange[] {
  const gone = new Set<unknown>(unused.map(({ specifier }) => specifier))
  const named = statement.specifiers.filter(({ type }) => type === 'ImportSpecifier')
  const byDefault = statement.specifiers.find(({ type }) => type === 'ImportDefaultSpecifier')
  const namespace = statement.specifiers.find(({ type }) => type === 'ImportNamespaceSpecifier')
  const kept = named.filter((specifier) => !gone.has(specifier))
  const brace = named.length > 0 ? text.indexOf('}', named.at(-1)?.end) + 1 : 0
  if (byDefault && gone.has(byDefault)) {
    const next = namespace?.start ?? text.indexOf('{', byDefault.end)
    return [{ start: byDefault.start, end: next, text: '' }, ...removeNamed(named, kept, gone)]
  }
  if (byDefault && namespace) return [{ start: byDefault.end, end: namespace.end, text: '' }]
  if (byDefault && kept.length === 0) return [{ start: byDefault.end, end: brace, text: '' }]
  return removeNamed(named, kept, gone)
}

interface Span {
  readonly start: number
  readonly end: number
}

/** Each with the comma behind it; those behind the last that stays, with the comma before them. */
function removeNamed(named: readonly Span[], kept: readonly Span[], gone: ReadonlySet<unknown>): TextChange[] {
  const last = kept.at(-1)
  const final = named.at(-1)
  if (!last || !final) return []
  const inner = named.flatMap((specifier, index) => {
    const next = named[index + 1]
    return gone.has(specifier) && next && specifier.start < last.start
      ? [{ start: specifier.start, end: next.start, text: '' }]
      : []
  })
  return final === last ? inner : [...inner, { start: last.end, end: final.end, text: '' }]
}

/** A file whose only module syntax is taken out would become a script, and its names global. */
function isStillModule({ program }: SyntaxTree, proposals: readonly Proposal[]): boolean {
  const isModuleSyntax = (type: string) => /^(Import|Export|TSImportEquals|TSExport)/.test(type)
  return program.body.some(
    ({ type, start, end }) =>
      isModuleSyntax(type) &&
      !proposals.some(({ changes }) => changes.some((change) => change.start <= start && change.end >= end)),
  )
}

function importedNames({ program }: SyntaxTree): string[] {
  return program.body.flatMap((statement) =>
    statement.type === 'ImportDeclaration' ? statement.specifiers.map(({ local }) => local.name) : [],
  )
}

/** Behind the line's end, or the end of the text. */
function endOfLine(text: string, offset: number): number {
  const end = text.indexOf('\n', offset)
  return end === -1 ? text.length : end + 1
}
