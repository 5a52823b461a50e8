import { findDeclarations, findExportedNames } from './exported-names.ts'
import { findReferences, hasJsx, namesInComments } from './references.ts'
import type { Node, SyntaxTree } from './syntax-tree.ts'

/** A name that its file never uses. */
export interface UnusedName {
  readonly name: string
  readonly at: number
}

/** An unused name that an import statement brings in. */
export interface UnusedImport extends UnusedName {
  readonly statement: Node
  readonly specifier: Node
}

/** Imported names that nothing in the file refers to: not code, not types, not documentation, not JSX. */
export function findUnusedImports(tree: SyntaxTree): readonly UnusedImport[] {
  const imports = tree.program.body.filter(({ type }) => type === 'ImportDeclaration')
  if (imports.length === 0) return []
  const isUsed = usedNames(tree)
  return imports.flatMap((statement) => {
    if (statement.type !== 'ImportDeclaration') return []
    return statement.specifiers
      .filter(({ local }) => !isUsed(local.name))
      .map((specifier) => ({ name: specifier.local.name, at: specifier.local.start, statement, specifier }))
  })
}

/** Top-level declarations of a module that it neither exports nor refers to, outside of themselves. */
export function findUnusedLocals(tree: SyntaxTree): readonly UnusedName[] {
  if (!isModule(tree)) return []
  const exported = new Set(findExportedNames(tree).map(({ declaration }) => declaration))
  const references = findReferences(tree)
  const mentioned = namesInComments(tree)
  return [...findDeclarations(tree)]
    .filter(([name, { declaration, statement }]) => {
      if (name.startsWith('_') || mentioned.has(name) || exported.has(declaration)) return false
      if (statement.type.startsWith('Export') || isAmbient(declaration) || isAmbient(statement)) return false
      return (references.get(name) ?? []).every((at) => at >= declaration.start && at < declaration.end)
    })
    .map(([name, { at }]) => ({ name, at }))
}

/** Whether top-level names of a file are its own: it is an ES module, or CommonJS by what it refers to. */
function isModule(tree: SyntaxTree): boolean {
  if (tree.program.body.some(({ type }) => /^(Import|Export|TSImportEquals|TSExport)/.test(type))) return true
  const references = findReferences(tree)
  return ['require', 'module', 'exports'].some((name) => references.has(name))
}

const isAmbient = (node: Node): boolean => 'declare' in node && node.declare === true

function usedNames(tree: SyntaxTree): (name: string) => boolean {
  const references = findReferences(tree)
  const mentioned = namesInComments(tree)
  const factories = hasJsx(tree) ? ['React', 'h', 'Fragment', 'preact', 'jsx'] : []
  return (name) => references.has(name) || mentioned.has(name) || factories.includes(name)
}
