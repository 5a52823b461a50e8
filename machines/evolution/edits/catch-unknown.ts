import { fingerprint } from '../fingerprint.ts'
import type { Node } from '../syntax-tree.ts'
import { walk } from '../walk.ts'
import type { Position } from '../walk.ts'
import type { Edit, Proposal } from './edit.ts'

/** Writes `unknown` for `any` in a catch clause whose variable is only passed on, printed or compared. */
export const catchUnknown: Edit = {
  name: 'catch-unknown',
  kind: 'add_type_hints',
  repeats: false,
  propose({ program, language }) {
    if (language === 'js') return []
    const proposals: Proposal[] = []
    walk(program, {
      enter(node) {
        if (node.type !== 'CatchClause' || node.param?.type !== 'Identifier') return
        const type = node.param.typeAnnotation?.typeAnnotation
        if (type?.type !== 'TSAnyKeyword' || !isOnlyPassedOn(node.param.name, node.body)) return
        const { start, end } = type
        proposals.push({
          issue: 'explicit-any',
          at: start,
          name: node.param.name,
          changes: [{ start, end, text: 'unknown' }],
        })
      },
    })
    return proposals
  },
  keepsMeaning(before, after) {
    const omit = (node: Node, key: string, parent: Node) =>
      key === 'param' && parent.type === 'CatchClause' && Boolean(node)
    return fingerprint(before.program, { omit }) === fingerprint(after.program, { omit })
  },
}

function isOnlyPassedOn(name: string, body: Node): boolean {
  let safe = true
  walk(body, {
    enter(node, position) {
      if (node.type === 'Identifier' && node.name === name && !isHarmlessUse(position)) safe = false
    },
  })
  return safe
}

/** Uses that `unknown` allows as well as `any`. */
function isHarmlessUse({ parent, key }: Position): boolean {
  switch (parent?.type) {
    case 'ThrowStatement':
    case 'TemplateLiteral':
      return true
    case 'MemberExpression':
      return key === 'property' && !parent.computed
    case 'Property':
      return key === 'key' ? !parent.computed && !parent.shorthand : keyText(parent.key) === 'cause'
    case 'BinaryExpression':
      return key === 'left'
        ? parent.operator === 'instanceof' || isEquality(parent.operator)
        : isEquality(parent.operator)
    case 'CallExpression':
      return key === 'arguments' && takesAnything(parent.callee)
    default:
      return false
  }
}

const isEquality = (operator: string): boolean => operator === '===' || operator === '!=='

const keyText = (key: Node): string | undefined => (key.type === 'Identifier' ? key.name : undefined)

function takesAnything(callee: Node): boolean {
  if (callee.type === 'Identifier') return callee.name === 'String' || callee.name === 'Boolean'
  return callee.type === 'MemberExpression' && callee.object.type === 'Identifier' && callee.object.name === 'console'
}
