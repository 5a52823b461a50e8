// Which names a file mentions. Scopes are not resolved: a name that occurs anywhere as a reference counts as used, so
// that what is reported as unused is so for certain.
import { isJsDoc } from './documentation.ts'
import type { SyntaxTree } from './syntax-tree.ts'
import { walk } from './walk.ts'
import type { Position } from './walk.ts'

/** The names referred to in a file, with the offsets of the references; declarations and imports are not references. */
export function findReferences({ program }: SyntaxTree): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>()
  walk(program, {
    enter(node, position) {
      if (node.type === 'ImportDeclaration') return 'skip'
      if (node.type !== 'Identifier' && node.type !== 'JSXIdentifier') return
      if (!isReference(position)) return
      const places = found.get(node.name)
      if (places) places.push(node.start)
      else found.set(node.name, [node.start])
    },
  })
  return found
}

/** The names that comments refer to: `{@link X}`, `{X}` in types, and the factories of JSX pragmas. */
export function namesInComments({ comments }: SyntaxTree): ReadonlySet<string> {
  const names = new Set<string>()
  for (const comment of comments) {
    if (!isJsDoc(comment)) continue
    const texts = comment.value.match(
      /\{[^}]*\}|@(?:jsx|jsxFrag|see|import|template|extends|augments|implements)\b[^\n]*/g,
    )
    for (const text of texts ?? [])
      for (const name of text.match(/[\p{ID_Start}$_][\p{ID_Continue}$]*/gu) ?? []) names.add(name)
  }
  return names
}

/** Whether a file holds JSX, which refers to its factory without naming it. */
export function hasJsx({ program }: SyntaxTree): boolean {
  let found = false
  walk(program, {
    enter(node) {
      if (node.type === 'JSXElement' || node.type === 'JSXFragment') found = true
      return found ? 'skip' : undefined
    },
  })
  return found
}

function isReference({ parent, key }: Position): boolean {
  switch (parent?.type) {
    case 'MemberExpression':
      return key === 'object' || parent.computed
    case 'Property':
    case 'PropertyDefinition':
    case 'MethodDefinition':
    case 'AccessorProperty':
    case 'TSPropertySignature':
    case 'TSMethodSignature':
    case 'TSAbstractMethodDefinition':
    case 'TSAbstractPropertyDefinition':
      return key !== 'key' || parent.computed
    case 'ExportSpecifier':
      return key === 'local'
    case 'FunctionDeclaration':
    case 'TSDeclareFunction':
    case 'ClassDeclaration':
    case 'TSInterfaceDeclaration':
    case 'TSTypeAliasDeclaration':
    case 'TSEnumDeclaration':
    case 'VariableDeclarator':
      return key !== 'id'
    case 'TSQualifiedName':
      return key === 'left'
    case 'JSXAttribute':
    case 'LabeledStatement':
    case 'MetaProperty':
    case 'TSEnumMember':
      return key !== 'name' && key !== 'label' && key !== 'meta' && key !== 'property' && key !== 'id'
    default:
      return true
  }
}
