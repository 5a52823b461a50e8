import type { ExportedName } from './exported-names.ts'
import { findExportedNames } from './exported-names.ts'
import type { FunctionSyntax, Node, SyntaxTree } from './syntax-tree.ts'
import { walk } from './walk.ts'

/** Which types an exported function leaves to inference. */
export interface FunctionTypes {
  readonly name: string
  readonly at: number
  readonly untypedParameters: readonly { readonly name: string; readonly at: number }[]
  readonly returnTyped: boolean
}

/** A function of the kinds whose parts can be told from its node. */
export type FunctionNode = FunctionSyntax | Extract<Node, { type: 'ArrowFunctionExpression' }>

/** The exported functions of a TypeScript file; JavaScript has no types to write. */
export function measureTypes(tree: SyntaxTree): readonly FunctionTypes[] {
  if (tree.language === 'js') return []
  return findExportedFunctions(tree).map(({ name, at, node }) => ({
    name,
    at,
    untypedParameters: node.params
      .filter((parameter) => !isTyped(parameter))
      .map((parameter) => ({ name: parameterName(parameter) ?? '(destructured)', at: parameter.start })),
    returnTyped: node.returnType !== null && node.returnType !== undefined,
  }))
}

/** The functions that a file exports, each with its node; of overloads the first signature. */
export function findExportedFunctions(tree: SyntaxTree): readonly (ExportedName & { readonly node: FunctionNode })[] {
  return findExportedNames(tree).flatMap((exported) =>
    exported.kind === 'function' ? [{ ...exported, node: exported.declaration as FunctionNode }] : [],
  )
}

/** Where a file writes `any`. */
export function findExplicitAny({ program }: SyntaxTree): readonly number[] {
  const found: number[] = []
  walk(program, {
    enter(node) {
      if (node.type === 'TSAnyKeyword') found.push(node.start)
    },
  })
  return found
}

/** The name of a parameter, or undefined when it is taken apart. */
export function parameterName(parameter: Node): string | undefined {
  switch (parameter.type) {
    case 'Identifier':
      return parameter.name
    case 'AssignmentPattern':
      return parameterName(parameter.left)
    case 'RestElement':
      return parameterName(parameter.argument)
    case 'TSParameterProperty':
      return parameterName(parameter.parameter)
    default:
      return undefined
  }
}

/** The type written beside a parameter. */
export function parameterType(parameter: Node): Node | undefined {
  if (parameter.type === 'AssignmentPattern') return parameterType(parameter.left)
  if (parameter.type === 'TSParameterProperty') return parameterType(parameter.parameter)
  if (!('typeAnnotation' in parameter) || !parameter.typeAnnotation) return undefined
  return parameter.typeAnnotation.type === 'TSTypeAnnotation' ? parameter.typeAnnotation.typeAnnotation : undefined
}

/** A literal default says the type as well as an annotation does. */
function isTyped(parameter: Node): boolean {
  if (parameterType(parameter)) return true
  if (parameter.type !== 'AssignmentPattern') return false
  const { type } = parameter.right
  return type === 'TemplateLiteral' || (type === 'Literal' && parameter.right.value !== null)
}
