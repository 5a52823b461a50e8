import { commentsBefore, docOf, isDirective, saysSomething, startOf } from '../documentation.ts'
import { findExportedNames } from '../exported-names.ts'
import type { ExportedName } from '../exported-names.ts'
import { fingerprint } from '../fingerprint.ts'
import type { Conventions } from '../schema.ts'
import type { SyntaxTree } from '../syntax-tree.ts'
import { describe } from './describe.ts'
import type { Description } from './describe.ts'
import type { Edit, TextChange } from './edit.ts'

/** Writes a JSDoc comment for exported declarations without one, from what their names and signatures say. */
export const document: Edit = {
  name: 'document',
  kind: 'add_docstrings',
  repeats: false,
  propose(tree, { conventions, commentFor }) {
    const byStatement = Map.groupBy(findDocumentable(tree), ({ statement }) => statement)
    return findUndocumented(tree).flatMap((exported) => {
      // One comment cannot speak for several names, and one that says nothing was somebody's and stays.
      const isAlone = byStatement.get(exported.statement)?.length === 1 && !docOf(tree, exported.statement)
      const description = isAlone ? describeBy(tree, exported, commentFor?.(tree.file, exported.name)) : undefined
      const change = description && insertComment(tree, exported, format(description, conventions))
      return change ? [{ issue: 'undocumented-export', at: exported.at, name: exported.name, changes: [change] }] : []
    })
  },
  keepsMeaning(before, after, proposals) {
    const isComplete = after.comments.length === before.comments.length + proposals.length
    return isComplete && fingerprint(before.program) === fingerprint(after.program)
  },
}

/** Exported declarations whose comment says nothing, or that have none; plain values explain themselves. */
export function findUndocumented(tree: SyntaxTree): readonly ExportedName[] {
  return findDocumentable(tree).filter((exported) => {
    const doc = docOf(tree, exported.statement)
    return doc === undefined || !saysSomething(doc)
  })
}

/** Exported declarations that ought to be documented: all but plain values. */
export function findDocumentable(tree: SyntaxTree): readonly ExportedName[] {
  return findExportedNames(tree).filter(({ kind }) => kind !== 'variable')
}

/** With the words of somebody who knows more, where there are any. */
function describeBy(tree: SyntaxTree, exported: ExportedName, text: string | undefined): Description | undefined {
  const derived = describe(tree, exported)
  return text === undefined ? derived : { tags: [], ...derived, text }
}

function format({ text, tags }: Description, { paramHyphen, blankLineBeforeTags }: Conventions): string[] {
  const prose = wrap(text)
  if (tags.length === 0 && prose.length === 1) return [`/** ${text} */`]
  const lines = tags.map((entry) => {
    const separator = paramHyphen ? ' - ' : ' '
    return ` * @${entry.tag} ${entry.name === undefined ? '' : entry.name + separator}${entry.text}`
  })
  const between = blankLineBeforeTags && lines.length > 0 ? [' *'] : []
  return ['/**', ...prose.map((line) => ` * ${line}`), ...between, ...lines, ' */']
}

/** Lines of up to 100 characters. */
function wrap(text: string): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && line.length + word.length >= 100) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines
}

/** On lines of its own before the statement, and before comments that give orders about the next line. */
function insertComment(
  tree: SyntaxTree,
  { statement }: ExportedName,
  lines: readonly string[],
): TextChange | undefined {
  const { text } = tree
  const comments = commentsBefore(tree, startOf(statement))
  const plain = comments.findLastIndex((comment) => !isDirective(comment))
  const at = comments[plain + 1]?.start ?? startOf(statement)
  const lineStart = text.lastIndexOf('\n', at - 1) + 1
  const indent = text.slice(lineStart, at)
  if (indent.trim() !== '') return undefined
  const eol = text.includes('\r\n') ? '\r\n' : '\n'
  return { start: at, end: at, text: lines.map((line) => line + eol + indent).join('') }
}
