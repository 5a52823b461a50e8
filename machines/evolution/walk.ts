// Walking without recursion: a chain of ten thousand `else if` or `+` must not overflow the stack.
import { visitorKeys } from 'oxc-parser'
import { isNode } from './syntax-tree.ts'
import type { Node } from './syntax-tree.ts'

/** Where a node hangs: under which property of which parent. */
export interface Position {
  /** From the root down to the parent. Changes while walking: copy what is to be kept. */
  readonly parents: readonly Node[]
  readonly parent: Node | undefined
  readonly key: string
}

/** What is told about each node on the way. */
export interface Visitor {
  /** Called before the children; `'skip'` leaves them out. */
  enter?(node: Node, position: Position): 'skip' | void
  /** Called after the children, and after a skip too. */
  leave?(node: Node, position: Position): void
}

interface Frame {
  readonly node: Node
  readonly key: string
  readonly children: readonly (readonly [key: string, node: Node])[]
  next: number
}

/** Visits a node and everything below it in the order of the text. */
export function walk(root: Node, visitor: Visitor): void {
  const parents: Node[] = []
  const frames: Frame[] = []
  const open = (node: Node, key: string) => {
    const skipped = visitor.enter?.(node, { parents, parent: parents.at(-1), key }) === 'skip'
    frames.push({ node, key, children: skipped ? [] : childrenOf(node), next: 0 })
    parents.push(node)
  }
  open(root, '')
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const child = frame.children[frame.next++]
    if (child !== undefined) {
      open(child[1], child[0])
      continue
    }
    frames.pop()
    parents.pop()
    visitor.leave?.(frame.node, { parents, parent: parents.at(-1), key: frame.key })
  }
}

/** The children of a node with the property each hangs under. */
export function childrenOf(node: Node): [key: string, node: Node][] {
  const children: [string, Node][] = []
  for (const key of visitorKeys[node.type] ?? []) {
    const value = (node as unknown as Record<string, unknown>)[key]
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) children.push([key, item])
    } else if (isNode(value)) children.push([key, value])
  }
  return children
}

/** Whether a node is a function with a body or a signature of its own. */
export function isFunction(node: Node): boolean {
  return (
    node.type === 'FunctionDeclaration' ||
    node.type === 'FunctionExpression' ||
    node.type === 'ArrowFunctionExpression' ||
    node.type === 'TSDeclareFunction' ||
    node.type === 'TSEmptyBodyFunctionExpression'
  )
}
