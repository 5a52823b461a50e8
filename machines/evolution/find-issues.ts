import { findElseAfterReturn, findUndocumented } from './edits/index.ts'
import { measureFunctions } from './functions.ts'
import type { Issue } from './schema.ts'
import { isTestFile } from './sources.ts'
import type { SyntaxTree } from './syntax-tree.ts'
import { findExplicitAny, measureTypes } from './type-coverage.ts'
import { findUnusedImports, findUnusedLocals } from './unused-names.ts'

/** An issue before its place is known in lines, and before the edits were asked about it. */
export type Finding = Omit<Issue, 'file' | 'line' | 'column' | 'edit'> & { readonly at: number }

/** Above these a function is hard to test (McCabe 1976: 10) or hard to follow (Campbell 2018: 15). */
const MAX_CYCLOMATIC = 10
const MAX_COGNITIVE = 15

/** Names what could be better in one file; tests are held to less. */
export function findIssues(tree: SyntaxTree): readonly Finding[] {
  const forAll = [...complexity(tree), ...elses(tree), ...unused(tree)]
  return isTestFile(tree.file) ? forAll : [...undocumented(tree), ...untyped(tree), ...anys(tree), ...forAll]
}

function undocumented(tree: SyntaxTree): Finding[] {
  return findUndocumented(tree).map(({ name, at, kind }) => ({
    kind: 'undocumented-export',
    area: 'documentation',
    severity: 'warning',
    confidence: 'high',
    name,
    message: `exported ${kind} ${name} has no documentation`,
    at,
  }))
}

function untyped(tree: SyntaxTree): Finding[] {
  const common = { area: 'types', severity: 'warning', confidence: 'high' } as const
  return measureTypes(tree).flatMap(({ name, at, untypedParameters, returnTyped }): Finding[] => [
    ...untypedParameters.map((parameter): Finding => {
      const message = `parameter ${parameter.name} of ${name} has no type`
      return { ...common, kind: 'untyped-parameter', name: `${name}(${parameter.name})`, message, at: parameter.at }
    }),
    ...(returnTyped
      ? []
      : [{ ...common, kind: 'untyped-return' as const, name, message: `${name} has no return type`, at }]),
  ])
}

function anys(tree: SyntaxTree): Finding[] {
  return findExplicitAny(tree).map((at) => ({
    kind: 'explicit-any',
    area: 'types',
    severity: 'warning',
    confidence: 'high',
    name: 'any',
    message: 'any switches type checking off for everything that touches it',
    at,
  }))
}

function complexity(tree: SyntaxTree): Finding[] {
  return measureFunctions(tree)
    .filter(({ cyclomatic, cognitive }) => cyclomatic > MAX_CYCLOMATIC || cognitive > MAX_COGNITIVE)
    .map(({ name, at, cyclomatic, cognitive }) => ({
      kind: 'complex-function',
      area: 'complexity',
      severity: cyclomatic > 2 * MAX_CYCLOMATIC ? 'error' : 'warning',
      confidence: 'high',
      name,
      message: `${name} has a cyclomatic complexity of ${cyclomatic} and a cognitive complexity of ${cognitive}`,
      at,
    }))
}

function elses(tree: SyntaxTree): Finding[] {
  return findElseAfterReturn(tree).map(({ statement }) => ({
    kind: 'else-after-return',
    area: 'complexity',
    severity: 'info',
    confidence: 'high',
    name: 'else',
    message: 'the block before always leaves; what stands in else can stand behind it',
    at: statement.start,
  }))
}

function unused(tree: SyntaxTree): Finding[] {
  const common = { area: 'unused', severity: 'warning', confidence: 'high' } as const
  return [
    ...findUnusedImports(tree).map(({ name, at }): Finding => {
      return { ...common, kind: 'unused-import', name, message: `${name} is imported and never used`, at }
    }),
    ...findUnusedLocals(tree).map(({ name, at }): Finding => {
      return { ...common, kind: 'unused-local', name, message: `${name} is declared and never used`, at }
    }),
  ]
}
