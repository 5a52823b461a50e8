import { parseSource } from './syntax-tree.ts'
import type { Node } from './syntax-tree.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Reads JSON with comments and trailing commas, as configuration files have it; undefined when it is something else. */
export function parseJsonc(content: string): Json | undefined {
  const text = content.startsWith('\uFEFF') ? content.slice(1) : content
  const outcome = parseSource('settings.js', `(${text}\n)`)
  if (outcome.kind === 'failure') return undefined
  const [statement] = outcome.tree.program.body
  if (statement?.type !== 'ExpressionStatement' || statement.expression.type !== 'ParenthesizedExpression')
    return undefined
  return valueOf(statement.expression.expression)
}

/** The value under a path of keys, as far as there are objects on the way. */
export function jsonAt(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let current = value
  for (const key of path) {
    if (!isJsonObject(current) || !Object.hasOwn(current, key)) return undefined
    current = current[key]
  }
  return current
}

/** Whether a JSON value is an object, not a list. */
export function isJsonObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function valueOf(node: Node): Json | undefined {
  switch (node.type) {
    case 'Literal':
      return typeof node.value === 'object' && node.value !== null ? undefined : jsonLiteral(node.value)
    case 'UnaryExpression':
      return node.operator === '-' && node.argument.type === 'Literal' && typeof node.argument.value === 'number'
        ? -node.argument.value
        : undefined
    case 'ArrayExpression': {
      const items = node.elements.map((element) => (element ? valueOf(element) : undefined))
      return items.some((item) => item === undefined) ? undefined : (items as Json[])
    }
    case 'ObjectExpression': {
      const entries: [string, Json][] = []
      for (const property of node.properties) {
        const value = property.type === 'Property' ? valueOf(property.value) : undefined
        if (value === undefined || property.type !== 'Property' || property.key.type !== 'Literal') return undefined
        entries.push([String(property.key.value), value])
      }
      return Object.fromEntries(entries)
    }
    default:
      return undefined
  }
}

const jsonLiteral = (value: unknown): Json | undefined =>
  value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? value
    : undefined
