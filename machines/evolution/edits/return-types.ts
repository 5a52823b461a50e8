import { findDeclarations } from '../exported-names.ts'
import { fingerprint } from '../fingerprint.ts'
import type { Node, SyntaxTree } from '../syntax-tree.ts'
import { findExportedFunctions } from '../type-coverage.ts'
import type { FunctionNode } from '../type-coverage.ts'
import { isFunction, walk } from '../walk.ts'
import type { Edit, TextChange } from './edit.ts'

/**
 * Writes the return type of exported functions where the syntax alone tells what the compiler infers: `void` without a
 * returned value, and `string`, `number`, `boolean` for expressions that can be nothing else.
 */
export const returnTypes: Edit = {
  name: 'return-types',
  kind: 'add_type_hints',
  repeats: false,
  propose(tree) {
    if (tree.language === 'js') return []
    const shadowed = findShadowed(tree)
    const overloaded = findOverloaded(tree)
    return findExportedFunctions(tree).flatMap(({ name, at, node }) => {
      if (node.returnType || overloaded.has(name)) return []
      const type = inferReturnType(node, shadowed)
      const change = type && insertType(tree, node, type)
      return change ? [{ issue: 'untyped-return', at, name, changes: [change] }] : []
    })
  },
  keepsMeaning(before, after) {
    const omit = (_node: Node, key: string) => key === 'returnType'
    return fingerprint(before.program, { omit }) === fingerprint(after.program, { omit })
  },
}

/** The type that a compiler infers, where the syntax alone is enough to know it. */
function inferReturnType(node: FunctionNode, shadowed: ReadonlySet<string>): string | undefined {
  if (node.generator || node.type === 'TSDeclareFunction' || !node.body) return undefined
  const type =
    node.body.type === 'BlockStatement'
      ? typeOfBody(node, node.body, shadowed)
      : typeOfValues(node, [node.body], shadowed)
  if (type === undefined || !node.async) return type
  return shadowed.has('Promise') ? undefined : `Promise<${type}>`
}

function typeOfBody(
  node: FunctionNode,
  body: Extract<Node, { type: 'BlockStatement' }>,
  shadowed: ReadonlySet<string>,
): string | undefined {
  const returns = findReturns(body)
  const values = returns.flatMap(({ argument }) => (argument ? [argument] : []))
  if (values.length > 0) {
    // Only a `return` at the very end shows without analysing the flow that there is no other way out.
    const endsInReturn = body.body.at(-1)?.type === 'ReturnStatement'
    return endsInReturn && values.length === returns.length ? typeOfValues(node, values, shadowed) : undefined
  }
  // An expression whose end cannot be reached is inferred as `never`, a declaration as `void`.
  return node.type === 'FunctionDeclaration' || returns.length > 0 || canReachEnd(body.body.at(-1)) ? 'void' : undefined
}

function findReturns(body: Node): Extract<Node, { type: 'ReturnStatement' }>[] {
  const found: Extract<Node, { type: 'ReturnStatement' }>[] = []
  walk(body, {
    enter(node) {
      if (isFunction(node) || node.type === 'ClassDeclaration' || node.type === 'ClassExpression') return 'skip'
      if (node.type === 'ReturnStatement') found.push(node)
    },
  })
  return found
}

/** Certain only for last statements that cannot be a call that never comes back. */
function canReachEnd(last: Node | undefined): boolean {
  switch (last?.type) {
    case undefined:
    case 'VariableDeclaration':
    case 'FunctionDeclaration':
    case 'ForOfStatement':
    case 'ForInStatement':
      return true
    case 'IfStatement':
      return last.alternate === null
    case 'ExpressionStatement':
      return last.expression.type === 'AssignmentExpression' || last.expression.type === 'UpdateExpression'
    default:
      return false
  }
}

type Primitive = 'string' | 'number' | 'boolean'

/** Several literals make a union of themselves, and a test of a parameter makes a type predicate: both stay inferred. */
function typeOfValues(
  node: FunctionNode,
  values: readonly Node[],
  shadowed: ReadonlySet<string>,
): Primitive | undefined {
  const types = new Set(values.map((value) => primitiveOf(value, shadowed)))
  const [type] = types
  if (types.size !== 1 || type === undefined) return undefined
  if (values.length === 1) return type === 'boolean' && node.params.length > 0 ? undefined : type
  return values.every(({ type: kind }) => kind === 'Literal') ? undefined : type
}

function primitiveOf(value: Node, shadowed: ReadonlySet<string>): Primitive | undefined {
  switch (value.type) {
    case 'ParenthesizedExpression':
      return primitiveOf(value.expression, shadowed)
    case 'Literal':
      return ['string', 'number', 'boolean'].find((name): name is Primitive => typeof value.value === name)
    case 'TemplateLiteral':
      return 'string'
    case 'UnaryExpression':
      return value.operator === '!' ? 'boolean' : undefined
    case 'BinaryExpression':
      return primitiveOfOperator(value)
    case 'CallExpression':
      return value.callee.type === 'Identifier' && !shadowed.has(value.callee.name)
        ? CONVERSIONS.get(value.callee.name)
        : undefined
    default:
      return undefined
  }
}

const CONVERSIONS: ReadonlyMap<string, Primitive> = new Map([
  ['String', 'string'],
  ['Number', 'number'],
  ['Boolean', 'boolean'],
])
const COMPARISONS = new Set(['==', '!=', '===', '!==', '<', '<=', '>', '>=', 'in', 'instanceof'])

/** Arithmetic with a number literal cannot be about big integers; adding to a string literal makes a string. */
function primitiveOfOperator(value: Extract<Node, { type: 'BinaryExpression' }>): Primitive | undefined {
  if (COMPARISONS.has(value.operator)) return 'boolean'
  const sides = [value.left, value.right].map((side) => (side.type === 'Literal' ? typeof side.value : undefined))
  if (value.operator === '+') return sides.includes('string') ? 'string' : undefined
  return sides.includes('number') ? 'number' : undefined
}

/** Global names the edit relies on, that this file gives another meaning. */
function findShadowed(tree: SyntaxTree): ReadonlySet<string> {
  const names = new Set(findDeclarations(tree).keys())
  for (const statement of tree.program.body) {
    if (statement.type === 'ImportDeclaration') for (const { local } of statement.specifiers) names.add(local.name)
  }
  return names
}

function findOverloaded({ program }: SyntaxTree): ReadonlySet<string> {
  const names = new Set<string>()
  walk(program, {
    enter: (node) => void (node.type === 'TSDeclareFunction' && names.add(node.id?.name ?? 'default')),
  })
  return names
}

/** Behind the closing parenthesis; undefined when a comment or a missing parenthesis makes its place doubtful. */
function insertType({ text }: SyntaxTree, node: FunctionNode, type: string): TextChange | undefined {
  const from = node.params.at(-1)?.end ?? node.typeParameters?.end ?? node.id?.end ?? node.start
  const region = text.slice(from, node.body?.start ?? from)
  const isArrow = node.type === 'ArrowFunctionExpression'
  const opening = node.params.length > 0 ? String.raw`[\s,]*` : String.raw`\s*(?:async\s*)?(?:function\b\s*)?\(\s*`
  const match = new RegExp(`^${opening}\\)(?=\\s*${isArrow ? '=>\\s*' : ''}$)`).exec(region)
  if (!match) return undefined
  const at = from + match[0].length
  return { start: at, end: at, text: `: ${type}` }
}
