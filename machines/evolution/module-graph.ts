// Who imports what from whom in the analysed tree, from one summary per file: the trees themselves need not be kept.
import { posix } from 'node:path'
import { commonJsExports, findExportedNames } from './exported-names.ts'
import { placeOf } from './syntax-tree.ts'
import type { Node, SyntaxTree } from './syntax-tree.ts'
import { childrenOf, walk } from './walk.ts'

/** What a file takes from another module; `'*'` is everything. */
export interface Dependency {
  readonly specifier: string
  readonly names: readonly string[]
}

/** An exported name and where it is declared. */
export interface ExportPlace {
  readonly name: string
  readonly line: number
  readonly column: number
}

/** What the rest of the project has to know about one file. */
export interface ModuleSummary {
  readonly file: string
  readonly exports: readonly ExportPlace[]
  readonly dependencies: readonly Dependency[]
  /** Loading the file by itself has no effect; what it imports is another matter. */
  readonly inert: boolean
}

/** Questions about the imports of a tree of files. */
export interface ModuleGraph {
  /** The analysed file that a specifier means, when it means one. */
  resolve(from: string, specifier: string): string | undefined
  /** Whether loading what a specifier means has certainly no effect. */
  isInert(from: string, specifier: string): boolean
  /** Whether anything in the tree imports a name of a file; true when that cannot be told. */
  isImported(file: string, name: string): boolean
}

/** Summarises one file for the graph. */
export function summariseModule(tree: SyntaxTree): ModuleSummary {
  return {
    file: tree.file,
    exports: findExportedNames(tree).map(({ importName: name, at }) => ({ name, ...placeOf(tree, at) })),
    dependencies: findDependencies(tree),
    inert: tree.program.body.every(isInertStatement),
  }
}

/** Connects the summaries of all files of a tree. */
export function createModuleGraph(modules: readonly ModuleSummary[]): ModuleGraph {
  const byFile = new Map(modules.map((module) => [module.file, module]))
  const resolve = (from: string, specifier: string) => resolveIn(byFile, from, specifier)
  const wholly = new Set<string>()
  const imported = new Map<string, Set<string>>()
  const elsewhere = new Set<string>()
  for (const { file, dependencies } of modules) {
    for (const { specifier, names } of dependencies) {
      const target = resolve(file, specifier)
      if (target === undefined) for (const name of names) elsewhere.add(name)
      else if (names.includes('*')) wholly.add(target)
      else imported.set(target, new Set([...(imported.get(target) ?? []), ...names]))
    }
  }
  const inert = findInert(modules, resolve)
  return {
    resolve,
    isInert(from, specifier) {
      const target = resolve(from, specifier)
      return target === undefined ? specifier.startsWith('node:') : inert.has(target)
    },
    isImported: (file, name) => wholly.has(file) || elsewhere.has(name) || imported.get(file)?.has(name) === true,
  }
}

/** Starts from the files that are inert by themselves, and takes out those that import others, until none is left. */
function findInert(modules: readonly ModuleSummary[], resolve: ModuleGraph['resolve']): ReadonlySet<string> {
  const inert = new Set(modules.filter((module) => module.inert).map(({ file }) => file))
  const isFine = (from: string, specifier: string) => {
    const target = resolve(from, specifier)
    return target === undefined ? specifier.startsWith('node:') : inert.has(target)
  }
  for (let size = -1; size !== inert.size;) {
    size = inert.size
    for (const { file, dependencies } of modules) {
      if (inert.has(file) && !dependencies.every(({ specifier }) => isFine(file, specifier))) inert.delete(file)
    }
  }
  return inert
}

function resolveIn(files: ReadonlyMap<string, unknown>, from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  const path = posix.normalize(posix.join(posix.dirname(from), specifier))
  const base = path.replace(/\.([cm]?)jsx?$/, '')
  const flavour = /\.([cm])jsx?$/.exec(path)?.[1] ?? ''
  const candidates = [path, `${base}.${flavour}ts`, `${base}.tsx`, `${base}.${flavour}js`, `${base}.jsx`]
  const appended = ['ts', 'tsx', 'mts', 'cts', 'js', 'jsx', 'mjs', 'cjs'].flatMap((ext) => [
    `${path}.${ext}`,
    posix.join(path, `index.${ext}`),
  ])
  return [...candidates, ...appended].find((candidate) => files.has(candidate))
}

function findDependencies({ program }: SyntaxTree): Dependency[] {
  const found: Dependency[] = []
  walk(program, {
    enter(node) {
      const [specifier, ...names] = dependencyOf(node)
      if (specifier !== undefined) found.push({ specifier, names })
    },
  })
  return found
}

function dependencyOf(node: Node): readonly string[] {
  switch (node.type) {
    case 'ImportDeclaration':
      return [node.source.value, ...node.specifiers.map(importedName)]
    case 'ExportAllDeclaration':
      return [node.source.value, '*']
    case 'ExportNamedDeclaration':
      return node.source ? [node.source.value, ...node.specifiers.map(({ local }) => moduleName(local))] : []
    case 'TSExternalModuleReference':
      return [node.expression.value, '*']
    case 'TSImportType':
    case 'ImportExpression':
      return node.source.type === 'Literal' && typeof node.source.value === 'string' ? [node.source.value, '*'] : []
    case 'CallExpression': {
      const [argument] = node.arguments
      const isRequire = node.callee.type === 'Identifier' && node.callee.name === 'require'
      return isRequire && argument?.type === 'Literal' && typeof argument.value === 'string'
        ? [argument.value, '*']
        : []
    }
    default:
      return []
  }
}

function importedName(specifier: Node): string {
  if (specifier.type === 'ImportSpecifier') return moduleName(specifier.imported)
  return specifier.type === 'ImportDefaultSpecifier' ? 'default' : '*'
}

const moduleName = (name: Node): string =>
  name.type === 'Identifier' ? name.name : name.type === 'Literal' ? String(name.value) : '*'

function isInertStatement(statement: Node): boolean {
  switch (statement.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'FunctionDeclaration':
    case 'TSDeclareFunction':
    case 'TSInterfaceDeclaration':
    case 'TSTypeAliasDeclaration':
    case 'EmptyStatement':
      return true
    case 'ExportNamedDeclaration':
    case 'ExportDefaultDeclaration':
      return statement.declaration ? isInertStatement(statement.declaration) : true
    case 'VariableDeclaration':
      return statement.declarations.every(({ id, init }) => id.type === 'Identifier' && (!init || isInertValue(init)))
    case 'ExpressionStatement':
      return (
        statement.directive !== undefined ||
        (commonJsExports(statement.expression).every(([, value]) => isInertValue(value)) &&
          commonJsExports(statement.expression).length > 0)
      )
    default:
      return isInertValue(statement)
  }
}

/** Whether computing a value certainly does nothing else. */
function isInertValue(value: Node): boolean {
  switch (value.type) {
    case 'Literal':
    case 'Identifier':
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return true
    case 'TemplateLiteral':
      return value.expressions.length === 0
    case 'ArrayExpression':
    case 'ParenthesizedExpression':
    case 'TSAsExpression':
    case 'TSSatisfiesExpression':
      return childrenOf(value).every(([key, child]) => key === 'typeAnnotation' || isInertValue(child))
    case 'ObjectExpression':
      return value.properties.every((item) => item.type === 'Property' && !item.computed && isInertValue(item.value))
    case 'UnaryExpression':
      return value.operator !== 'delete' && value.argument.type === 'Literal'
    case 'ClassDeclaration':
    case 'ClassExpression':
      return (
        value.decorators.length === 0 &&
        (value.superClass === null || value.superClass.type === 'Identifier') &&
        value.body.body.every((member) => isInertMember(member))
      )
    default:
      return false
  }
}

function isInertMember(member: Node): boolean {
  if (member.type === 'StaticBlock' || ('computed' in member && member.computed)) return false
  if ('decorators' in member && member.decorators && member.decorators.length > 0) return false
  if (member.type !== 'PropertyDefinition' || !member.static) return true
  return member.value === null || isInertValue(member.value)
}
