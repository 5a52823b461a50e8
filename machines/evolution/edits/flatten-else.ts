import { fingerprint } from '../fingerprint.ts'
import type { Node, SyntaxTree } from '../syntax-tree.ts'
import { isFunction, walk } from '../walk.ts'
import type { Edit, Proposal, TextChange } from './edit.ts'

type IfStatement = Extract<Node, { type: 'IfStatement' }>
type BlockStatement = Extract<Node, { type: 'BlockStatement' }>

/** An `if` whose block always leaves, so that its `else` could stand behind it. */
export interface ElseAfterReturn {
  readonly statement: IfStatement
  readonly block: BlockStatement
  /** Names of the block that would meet others of the surrounding function. */
  readonly clashes: boolean
}

/**
 * Takes the block of an `else` behind an `if` that always leaves out of its `else`: one level less to read. Blocks with
 * functions, classes or `using`, names that occur elsewhere in the function, and comments around `else` stay as they are.
 */
export const flattenElse: Edit = {
  name: 'flatten-else',
  kind: 'reduce_complexity',
  repeats: true,
  propose(tree) {
    return findElseAfterReturn(tree).flatMap((found): Proposal[] => {
      const changes = found.clashes ? undefined : flatten(tree, found)
      return changes ? [{ issue: 'else-after-return', at: found.statement.start, name: 'else', changes }] : []
    })
  },
  keepsMeaning(before, after, proposals) {
    const flatten = new Set(proposals.map(({ at }) => at))
    return fingerprint(before.program, { flatten }) === fingerprint(after.program)
  },
}

/** Finds them in the order of the text. */
export function findElseAfterReturn({ program }: SyntaxTree): readonly ElseAfterReturn[] {
  const found: ElseAfterReturn[] = []
  walk(program, {
    enter(node, { parent, parents }) {
      if (node.type !== 'IfStatement' || node.alternate?.type !== 'BlockStatement') return
      if (parent?.type !== 'BlockStatement' || node.consequent.type !== 'BlockStatement') return
      if (!leaves(node.consequent) || node.alternate.body.length === 0) return
      const scope = parents.findLast((ancestor) => isFunction(ancestor)) ?? program
      found.push({ statement: node, block: node.alternate, clashes: clashes(node.alternate, scope) })
    },
  })
  return found
}

function leaves({ body }: BlockStatement): boolean {
  const last = body.at(-1)?.type
  return (
    last === 'ReturnStatement' || last === 'ThrowStatement' || last === 'ContinueStatement' || last === 'BreakStatement'
  )
}

/** Declarations that only a block may hold, or names that anything else in the function mentions. */
function clashes(block: BlockStatement, scope: Node): boolean {
  const names = new Set<string>()
  for (const statement of block.body) {
    if (statement.type !== 'VariableDeclaration') {
      if (statement.type.endsWith('Declaration')) return true
      continue
    }
    if (statement.kind === 'using' || statement.kind === 'await using') return true
    for (const { id } of statement.declarations) {
      if (id.type !== 'Identifier') return true
      names.add(id.name)
    }
  }
  let clash = false
  walk(scope, {
    enter(node) {
      if (node === block) return 'skip'
      if (node.type === 'WithStatement') clash = true
      if (node.type !== 'Identifier' && node.type !== 'JSXIdentifier') return
      if (names.has(node.name) || node.name === 'eval') clash = true
    },
  })
  return clash
}

function flatten(tree: SyntaxTree, { statement, block }: ElseAfterReturn): TextChange[] | undefined {
  const { text } = tree
  const { consequent } = statement
  if (!/^\s*else\s*$/.test(text.slice(consequent.end, block.start))) return undefined
  const lineStart = text.lastIndexOf('\n', statement.start - 1) + 1
  const indent = text.slice(lineStart, statement.start)
  if (indent.trim() !== '') return undefined
  const eol = text.slice(statement.start, statement.end).includes('\r\n') ? '\r\n' : '\n'
  const inner = text.slice(block.start + 1, block.end - 1)
  // A line comment behind the brace would swallow what follows if it were joined to the line before.
  const body = /^[ \t]*\r?\n/.exec(inner) ? inner.replace(/^[ \t]*\r?\n/, '') : inner.trimStart()
  // The brace ends a statement; without it, such a beginning of the next line would go on with the last one.
  if (/^\s*[;([`+\-*/.,]/.test(text.slice(block.end)) && !/;\s*$/.test(body)) return undefined
  const from = block.end - 1 - body.length
  const isOwnLine = from > 0 && text[from - 1] === '\n'
  const dedented = isOwnLine ? dedent(tree, from, block.end - 1, indent) : indent + body.trimEnd()
  return [{ start: consequent.end, end: block.end, text: eol + dedented.trimEnd() }]
}

/** Moves lines one level to the left, except those that begin inside of a string, a template or JSX text. */
function dedent(tree: SyntaxTree, from: number, to: number, indent: string): string {
  const fixed = findFixedRanges(tree, from, to)
  const lines = tree.text.slice(from, to).split('\n')
  const first = /^[ \t]*/.exec(lines.find((line) => line.trim() !== '') ?? '')?.[0] ?? ''
  const step = first.startsWith(indent) ? first.slice(indent.length) : ''
  let offset = from
  return lines
    .map((line) => {
      const at = offset
      offset += line.length + 1
      const isFixed = fixed.some(({ start, end }) => at > start && at < end)
      return step !== '' && !isFixed && line.startsWith(indent + step) ? indent + line.slice(first.length) : line
    })
    .join('\n')
}

function findFixedRanges({ program }: SyntaxTree, from: number, to: number): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = []
  walk(program, {
    enter(node) {
      if (node.end <= from || node.start >= to) return 'skip'
      if (node.type === 'TemplateLiteral' || node.type === 'Literal' || node.type === 'JSXText') {
        found.push({ start: node.start, end: node.end })
      }
      if (node.type === 'TSTemplateLiteralType') found.push({ start: node.start, end: node.end })
    },
  })
  return found
}
