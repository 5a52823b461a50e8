import { countStyle } from './conventions.ts'
import type { StyleCounts } from './conventions.ts'
import { docOf, saysSomething } from './documentation.ts'
import { findDocumentable } from './edits/index.ts'
import { findExportedNames } from './exported-names.ts'
import { measureFunctions } from './functions.ts'
import type { Project } from './project.ts'
import { isTestFile } from './sources.ts'
import type { Node, SyntaxTree } from './syntax-tree.ts'
import { findExplicitAny, measureTypes } from './type-coverage.ts'
import { findUnusedImports } from './unused-names.ts'
import { walk } from './walk.ts'

/** What can be counted in one file about its way of writing. */
export interface FileFacts {
  readonly file: string
  readonly isTest: boolean
  readonly language: 'ts' | 'js'
  readonly style: StyleCounts
  readonly documentable: number
  readonly documented: number
  readonly exportedFunctions: number
  readonly typedReturns: number
  readonly any: number
  readonly largeFunctions: number
  readonly unusedImports: number
  readonly counts: Readonly<Record<CountedName, number>>
  /** Names of exported functions and classes, for patterns. */
  readonly names: readonly string[]
}

/** The ways of writing that are counted by looking at single nodes. */
export type CountedName =
  | 'var'
  | 'looseEquality'
  | 'defaultExport'
  | 'enum'
  | 'namespace'
  | 'thrownLiteral'
  | 'errorClass'
  | 'emptyCatch'
  | 'async'
  | 'then'
  | 'class'
  | 'function'
  | 'typeImport'
  | 'reexport'

/** Everything that practices are checked against. */
export interface Facts {
  readonly project: Project
  readonly files: readonly FileFacts[]
}

/** Counts what one file shows. */
export function collectFacts(tree: SyntaxTree): FileFacts {
  const documentable = findDocumentable(tree)
  const documented = documentable.filter(({ statement }) => {
    const doc = docOf(tree, statement)
    return doc !== undefined && saysSomething(doc)
  })
  const types = measureTypes(tree)
  return {
    file: tree.file,
    isTest: isTestFile(tree.file),
    language: tree.language,
    style: countStyle(tree),
    documentable: documentable.length,
    documented: documented.length,
    exportedFunctions: types.length,
    typedReturns: types.filter(({ returnTyped }) => returnTyped).length,
    any: findExplicitAny(tree).length,
    largeFunctions: measureFunctions(tree).filter(({ cyclomatic }) => cyclomatic > 10).length,
    unusedImports: findUnusedImports(tree).length,
    counts: countNodes(tree),
    names: findExportedNames(tree)
      .filter(({ kind }) => kind === 'function' || kind === 'class')
      .map(({ name }) => name),
  }
}

function countNodes({ program }: SyntaxTree): Record<CountedName, number> {
  const counts: Record<CountedName, number> = {
    var: 0,
    looseEquality: 0,
    defaultExport: 0,
    enum: 0,
    namespace: 0,
    thrownLiteral: 0,
    errorClass: 0,
    emptyCatch: 0,
    async: 0,
    then: 0,
    class: 0,
    function: 0,
    typeImport: 0,
    reexport: 0,
  }
  walk(program, {
    enter(node) {
      const name = countedAs(node)
      if (name) counts[name]++
      if ('async' in node && node.async === true) counts.async++
      if (name === 'class' && 'superClass' in node && isErrorName(node.superClass)) counts.errorClass++
    },
  })
  return counts
}

function countedAs(node: Node): CountedName | undefined {
  switch (node.type) {
    case 'VariableDeclaration':
      return node.kind === 'var' && node.declare !== true ? 'var' : undefined
    case 'BinaryExpression': {
      const isNullCheck = node.right.type === 'Literal' && node.right.value === null && node.right.raw === 'null'
      return (node.operator === '==' || node.operator === '!=') && !isNullCheck ? 'looseEquality' : undefined
    }
    case 'ExportDefaultDeclaration':
      return 'defaultExport'
    case 'TSEnumDeclaration':
      return 'enum'
    case 'TSModuleDeclaration':
      return node.declare === true || node.kind === 'module' ? undefined : 'namespace'
    case 'ThrowStatement':
      return node.argument.type === 'Literal' || node.argument.type === 'TemplateLiteral' ? 'thrownLiteral' : undefined
    case 'CatchClause':
      return node.body.body.length === 0 ? 'emptyCatch' : undefined
    case 'CallExpression': {
      const { callee } = node
      const isThen =
        callee.type === 'MemberExpression' && callee.property.type === 'Identifier' && callee.property.name === 'then'
      return isThen ? 'then' : undefined
    }
    case 'ClassDeclaration':
      return 'class'
    case 'FunctionDeclaration':
      return 'function'
    case 'ImportDeclaration':
      return node.importKind === 'type' ? 'typeImport' : undefined
    case 'ExportAllDeclaration':
      return 'reexport'
    default:
      return undefined
  }
}

const isErrorName = (node: Node | null): boolean => node?.type === 'Identifier' && /(Error|Exception)$/.test(node.name)
