import type { Node, SyntaxTree } from './syntax-tree.ts'
import { keyName } from './functions.ts'

/** What is exported, as far as documentation and types differ by it. */
export type ExportedKind = 'function' | 'class' | 'interface' | 'type' | 'enum' | 'variable'

/** A name that a file declares and exports, as an ES module or through CommonJS. */
export interface ExportedName {
  readonly name: string
  /** What others import it as. */
  readonly importName: string
  readonly kind: ExportedKind
  /** The function, class, interface, alias, enum or declarator. */
  readonly declaration: Node
  /** The whole statement: documentation stands before it. */
  readonly statement: Node
  /** Where the name stands. */
  readonly at: number
}

/** A top-level declaration: what a name stands for inside the file. */
export type Declared = Omit<ExportedName, 'name' | 'importName'>

/** The declared exports of a file in the order of the text, each declaration once; re-exports are not its own. */
export function findExportedNames(tree: SyntaxTree): readonly ExportedName[] {
  const declared = findDeclarations(tree)
  const found = new Map<Node, ExportedName>()
  for (const exported of tree.program.body.flatMap((statement) => exportsOf(statement, declared))) {
    if (!found.has(exported.declaration)) found.set(exported.declaration, exported)
  }
  return [...found.values()].sort((a, b) => a.at - b.at)
}

function exportsOf(statement: Node, declared: ReadonlyMap<string, Declared>): ExportedName[] {
  const named = (name: string, importName = name): ExportedName[] => {
    const entry = declared.get(name)
    return entry ? [{ name, importName, ...entry }] : []
  }
  switch (statement.type) {
    case 'ExportNamedDeclaration':
      if (statement.declaration)
        return declarationsOf(statement.declaration, statement).flatMap(([name]) => named(name))
      return statement.source
        ? []
        : statement.specifiers.flatMap(({ local, exported }) => named(keyName(local) ?? '', keyName(exported)))
    case 'ExportDefaultDeclaration': {
      const value = statement.declaration
      if (value.type === 'Identifier') return named(value.name, 'default')
      return declarationsOf(value, statement).map(([name, entry]) => ({ name, importName: 'default', ...entry }))
    }
    case 'ExpressionStatement':
      return commonJsExports(statement.expression).flatMap(([name, value]) => {
        if (value.type === 'Identifier') return named(value.name, name)
        const entry = entryOf(value, statement, value.start)
        return entry ? [{ name, importName: name, ...entry }] : []
      })
    default:
      return []
  }
}

/** Every name that the top level of a file declares, imports apart; of overloads and merged declarations the first. */
export function findDeclarations({ program }: SyntaxTree): ReadonlyMap<string, Declared> {
  const declared = new Map<string, Declared>()
  for (const statement of program.body) {
    const isExport = statement.type === 'ExportNamedDeclaration' || statement.type === 'ExportDefaultDeclaration'
    const declaration = isExport ? statement.declaration : statement
    if (!declaration) continue
    for (const [name, entry] of declarationsOf(declaration, statement)) {
      if (!declared.has(name)) declared.set(name, entry)
    }
  }
  return declared
}

function declarationsOf(declaration: Node, statement: Node): [string, Declared][] {
  if (declaration.type === 'VariableDeclaration') {
    return declaration.declarations.flatMap((declarator): [string, Declared][] => {
      if (declarator.id.type !== 'Identifier') return []
      const isTyped = declarator.id.typeAnnotation !== null && declarator.id.typeAnnotation !== undefined
      const entry = declarator.init && !isTyped ? entryOf(declarator.init, statement, declarator.id.start) : undefined
      const variable: Declared = { kind: 'variable', declaration: declarator, statement, at: declarator.id.start }
      return [[declarator.id.name, entry ?? variable]]
    })
  }
  const entry = entryOf(declaration, statement, declaration.start)
  if (!entry || !('id' in declaration)) return []
  const name = declaration.id?.type === 'Identifier' ? declaration.id : undefined
  return [[name?.name ?? 'default', { ...entry, at: name?.start ?? declaration.start }]]
}

const KINDS: ReadonlyMap<string, ExportedKind> = new Map([
  ['FunctionDeclaration', 'function'],
  ['TSDeclareFunction', 'function'],
  ['FunctionExpression', 'function'],
  ['ArrowFunctionExpression', 'function'],
  ['ClassDeclaration', 'class'],
  ['ClassExpression', 'class'],
  ['TSInterfaceDeclaration', 'interface'],
  ['TSTypeAliasDeclaration', 'type'],
  ['TSEnumDeclaration', 'enum'],
])

function entryOf(declaration: Node, statement: Node, at: number): Declared | undefined {
  const kind = KINDS.get(declaration.type)
  return kind && { kind, declaration, statement, at }
}

/** `exports.a = …`, `module.exports.a = …`, `module.exports = x` and `module.exports = { a, b: c }`. */
export function commonJsExports(expression: Node): [string, Node][] {
  if (expression.type !== 'AssignmentExpression' || expression.operator !== '=') return []
  const { left, right } = expression
  if (left.type !== 'MemberExpression') return []
  if (isModuleExports(left)) {
    if (right.type !== 'ObjectExpression') return [['default', right]]
    return right.properties.flatMap((property): [string, Node][] => {
      if (property.type !== 'Property' || property.computed) return []
      const name = keyName(property.key)
      return name === undefined || property.value.type !== 'Identifier' ? [] : [[name, property.value]]
    })
  }
  const isExports = left.object.type === 'Identifier' && left.object.name === 'exports'
  if (left.computed || !(isExports || isModuleExports(left.object))) return []
  const name = keyName(left.property)
  return name === undefined ? [] : [[name, right]]
}

function isModuleExports(node: Node): boolean {
  return (
    node.type === 'MemberExpression' &&
    !node.computed &&
    node.object.type === 'Identifier' &&
    node.object.name === 'module' &&
    keyName(node.property) === 'exports'
  )
}
