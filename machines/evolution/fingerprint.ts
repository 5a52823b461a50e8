// Two trees with one fingerprint mean the same program: everything is compared except places and comments. The edits
// prove with it that they changed what they say and nothing else.
import { isNode } from './syntax-tree.ts'
import type { Node } from './syntax-tree.ts'

/** What to look past when two trees are compared. */
export interface FingerprintOptions {
  /** Children to leave out. */
  readonly omit?: (node: Node, key: string, parent: Node) => boolean
  /** Offsets of `if` statements to read as if their `else` block stood behind them, without `else` and braces. */
  readonly flatten?: ReadonlySet<number>
}

const PLACES = new Set(['start', 'end', 'range', 'loc', 'parent'])

/** A text that is equal for equal programs. */
export function fingerprint(root: Node, options: FingerprintOptions = {}): string {
  const tokens: string[] = []
  const pending: (string | Node)[] = [root]
  for (let item = pending.pop(); item !== undefined; item = pending.pop()) {
    if (typeof item === 'string') tokens.push(item)
    else for (const part of partsOf(item, options).reverse()) pending.push(part)
  }
  return tokens.join('\n')
}

function partsOf(node: Node, { omit, flatten }: FingerprintOptions): (string | Node)[] {
  const parts: (string | Node)[] = [`(${node.type}`]
  const isFlattened = flatten !== undefined && node.type === 'IfStatement' && flatten.has(node.start)
  for (const [key, value] of Object.entries(node)) {
    if (PLACES.has(key) || key === 'type') continue
    if (isFlattened && key === 'alternate') parts.push('alternate:null')
    else if (Array.isArray(value)) {
      parts.push(`${key}[`)
      for (const item of value) {
        if (!isNode(item)) parts.push(JSON.stringify(item))
        else if (!omit?.(item, key, node)) parts.push(item, ...flattenedBody(item, flatten))
      }
      parts.push(']')
    } else if (isNode(value)) parts.push(...(omit?.(value, key, node) ? [`${key}:null`] : [`${key}:`, value]))
    else if (!(node.type === 'Literal' && key === 'value')) parts.push(`${key}:${JSON.stringify(value)}`)
  }
  return [...parts, ')']
}

function flattenedBody(node: Node, flatten: ReadonlySet<number> | undefined): readonly Node[] {
  if (node.type !== 'IfStatement' || !flatten?.has(node.start)) return []
  return node.alternate?.type === 'BlockStatement' ? node.alternate.body : []
}
