import type { Node, SyntaxTree } from './syntax-tree.ts'
import { isFunction, walk } from './walk.ts'
import type { Position } from './walk.ts'

/** What one function measures. */
export interface FunctionMeasure {
  readonly name: string
  /** Where the function begins. */
  readonly at: number
  /** Independent paths: 1 + decisions. T. J. McCabe, "A Complexity Measure", IEEE TSE 2(4), 1976. */
  readonly cyclomatic: number
  /**
   * How hard it is to follow: breaks of the linear flow, weighted by nesting. G. A. Campbell, "Cognitive Complexity",
   * SonarSource, 2018; recursion is not counted, and a nested function counts for itself only.
   */
  readonly cognitive: number
}

interface Counter {
  name: string
  at: number
  cyclomatic: number
  cognitive: number
  nesting: number
}

/**
 * Measures every function with a body, nested ones apart. Decisions are `if`, `?:`, loops, `case`, `catch`, `&&`, `||`,
 * `??` and their assignments; optional chains and default values are not.
 */
export function measureFunctions({ program }: SyntaxTree): readonly FunctionMeasure[] {
  const measures: FunctionMeasure[] = []
  const open: Counter[] = []
  walk(program, {
    enter(node, position) {
      if (isFunction(node)) {
        open.push({ name: nameOf(node, position), at: node.start, cyclomatic: 1, cognitive: 0, nesting: 0 })
        return
      }
      const counter = open.at(-1)
      if (counter === undefined) return
      if (isDecision(node)) counter.cyclomatic++
      counter.cognitive += cognitiveStep(node, position, counter.nesting)
      if (deepens(node, position)) counter.nesting++
    },
    leave(node, position) {
      if (isFunction(node)) {
        const { nesting: _, ...measure } = open.pop() as Counter
        if ('body' in node && node.body) measures.push(measure)
        return
      }
      const counter = open.at(-1)
      if (counter !== undefined && deepens(node, position)) counter.nesting--
    },
  })
  return measures.sort((a, b) => a.at - b.at)
}

function isDecision(node: Node): boolean {
  switch (node.type) {
    case 'IfStatement':
    case 'ConditionalExpression':
    case 'ForStatement':
    case 'ForInStatement':
    case 'ForOfStatement':
    case 'WhileStatement':
    case 'DoWhileStatement':
    case 'CatchClause':
    case 'LogicalExpression':
      return true
    case 'SwitchCase':
      return node.test !== null
    case 'AssignmentExpression':
      return node.operator === '&&=' || node.operator === '||=' || node.operator === '??='
    default:
      return false
  }
}

const NESTING = new Set([
  'IfStatement',
  'ConditionalExpression',
  'ForStatement',
  'ForInStatement',
  'ForOfStatement',
  'WhileStatement',
  'DoWhileStatement',
  'SwitchStatement',
  'CatchClause',
])

const isElseIf = (node: Node, { parent, key }: Position): boolean =>
  node.type === 'IfStatement' && parent?.type === 'IfStatement' && key === 'alternate'

const deepens = (node: Node, position: Position): boolean => NESTING.has(node.type) && !isElseIf(node, position)

function cognitiveStep(node: Node, position: Position, nesting: number): number {
  const { parent } = position
  if (node.type === 'IfStatement') {
    const last = node.alternate !== null && node.alternate.type !== 'IfStatement' ? 1 : 0
    return last + (isElseIf(node, position) ? 1 : 1 + nesting)
  }
  if (NESTING.has(node.type)) return 1 + nesting
  if (node.type === 'LogicalExpression') {
    return parent?.type === 'LogicalExpression' && parent.operator === node.operator ? 0 : 1
  }
  if (node.type === 'BreakStatement' || node.type === 'ContinueStatement') return node.label ? 1 : 0
  return 0
}

function nameOf(node: Node, { parent }: Position): string {
  if ('id' in node && node.id?.type === 'Identifier') return node.id.name
  switch (parent?.type) {
    case 'VariableDeclarator':
      return parent.id.type === 'Identifier' ? parent.id.name : '(anonymous)'
    case 'MethodDefinition':
    case 'TSAbstractMethodDefinition':
    case 'PropertyDefinition':
    case 'Property':
      return keyName(parent.key) ?? '(computed)'
    case 'AssignmentExpression':
      return parent.left.type === 'MemberExpression' ? (keyName(parent.left.property) ?? '(computed)') : '(anonymous)'
    default:
      return '(anonymous)'
  }
}

/** The name that a property key spells, or undefined when it is computed. */
export function keyName(key: Node): string | undefined {
  if (key.type === 'Identifier') return key.name
  if (key.type === 'PrivateIdentifier') return `#${key.name}`
  return key.type === 'Literal' ? String(key.value) : undefined
}
