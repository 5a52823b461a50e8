import type { CountedName, Facts, FileFacts } from './facts.ts'
import { jsonAt } from './jsonc.ts'
import type { PracticeFinding } from './schema.ts'

/** What a look at the project says about one practice. */
export type Verdict = Pick<PracticeFinding, 'status' | 'evidence' | 'file'>

/** A published practice and the way to see in a project whether it is kept. `check` is pure and may not throw. */
export interface Practice extends Pick<PracticeFinding, 'id' | 'title' | 'why' | 'area' | 'reference'> {
  check(facts: Facts): Verdict
}

const followed = (evidence: string, file: string | null = null): Verdict => ({ status: 'followed', evidence, file })
const broken = (evidence: string, file: string | null = null): Verdict => ({ status: 'not-followed', evidence, file })
const unknown = (evidence: string): Verdict => ({ status: 'unknown', evidence, file: null })

/** A compiler option that is on, possibly through `strict`. */
function option(name: string, { byStrict = false } = {}): Practice['check'] {
  return ({ project: { tsconfigFile, compilerOptions } }) => {
    if (tsconfigFile === undefined) return unknown('there is no tsconfig.json')
    const value = compilerOptions.get(name) ?? (byStrict ? compilerOptions.get('strict') : undefined)
    return value === true ? followed(`${name} is on`, tsconfigFile) : broken(`${name} is not on`, tsconfigFile)
  }
}

/** A file or folder at the root of the project. */
function atRoot(pattern: RegExp, what: string): Practice['check'] {
  return ({ project: { entries } }) => {
    const found = entries.find((entry) => pattern.test(entry))
    return found ? followed(`${found} is there`, found) : broken(`there is no ${what}`)
  }
}

/** A way of writing that should not occur in the sources. */
function absent(name: CountedName, what: string): Practice['check'] {
  return (facts) => atMost(sourceFiles(facts), ({ counts }) => counts[name], what)
}

function atMost(files: readonly FileFacts[], count: (file: FileFacts) => number, what: string): Verdict {
  if (files.length === 0) return unknown('there are no sources to look at')
  const total = files.reduce((sum, file) => sum + count(file), 0)
  const worst = files.toSorted((a, b) => count(b) - count(a))[0]
  return total === 0 || !worst
    ? followed(`${what}: none`)
    : broken(`${what}: ${total}, most of them in ${worst.file}`, worst.file)
}

function shareOf(
  files: readonly FileFacts[],
  { part, whole, least, what }: Record<'part' | 'whole', (file: FileFacts) => number> & { least: number; what: string },
): Verdict {
  const parts = files.reduce((sum, file) => sum + part(file), 0)
  const all = files.reduce((sum, file) => sum + whole(file), 0)
  if (all === 0) return unknown(`nothing to look at: no ${what}`)
  const evidence = `${parts} of ${all} ${what}`
  return parts / all >= least ? followed(evidence) : broken(evidence)
}

const sourceFiles = ({ files }: Facts): readonly FileFacts[] => files.filter(({ isTest }) => !isTest)
const typed = (facts: Facts): readonly FileFacts[] => sourceFiles(facts).filter(({ language }) => language === 'ts')

/** The catalogue that comes with the workflow. */
export const practices: readonly Practice[] = [
  {
    id: 'ts-strict',
    title: 'Turn on strict type checking',
    why: 'Without it null, implicit any and unsound calls pass unseen.',
    area: 'types',
    reference: 'TypeScript TSConfig reference: strict',
    check: option('strict'),
  },
  {
    id: 'ts-unchecked-index',
    title: 'Check what comes out of an index',
    why: 'A missing element is undefined at run time; the type should say so.',
    area: 'types',
    reference: 'TypeScript TSConfig reference: noUncheckedIndexedAccess',
    check: option('noUncheckedIndexedAccess'),
  },
  {
    id: 'ts-unknown-catch',
    title: 'Catch unknown, not any',
    why: 'Anything can be thrown; reading .message of it needs a check first.',
    area: 'types',
    reference: 'TypeScript TSConfig reference: useUnknownInCatchVariables',
    check: option('useUnknownInCatchVariables', { byStrict: true }),
  },
  {
    id: 'ts-verbatim-modules',
    title: 'Say which imports are types',
    why: 'Tools that treat one file at a time can then tell what to load at run time.',
    area: 'types',
    reference: 'TypeScript TSConfig reference: verbatimModuleSyntax',
    check: option('verbatimModuleSyntax'),
  },
  {
    id: 'ts-no-any',
    title: 'Avoid any',
    why: 'It switches checking off for everything it touches.',
    area: 'types',
    reference: 'typescript-eslint: no-explicit-any',
    check: (facts) => atMost(typed(facts), ({ any }) => any, 'uses of any'),
  },
  {
    id: 'ts-explicit-boundary',
    title: 'Write the return types of exported functions',
    why: 'A change inside then cannot change the contract unnoticed, and declarations are made file by file.',
    area: 'types',
    reference: 'typescript-eslint: explicit-module-boundary-types',
    check: (facts) =>
      shareOf(typed(facts), {
        part: ({ typedReturns }) => typedReturns,
        whole: ({ exportedFunctions }) => exportedFunctions,
        least: 0.8,
        what: 'exported functions with a return type',
      }),
  },
  {
    id: 'erasable-syntax',
    title: 'Use only types that can be erased',
    why: 'Enums and namespaces need a compiler; without them Node runs the sources as they are.',
    area: 'types',
    reference: 'TypeScript TSConfig reference: erasableSyntaxOnly; Node.js documentation: Modules: TypeScript',
    check: (facts) => atMost(typed(facts), ({ counts }) => counts.enum + counts.namespace, 'enums and namespaces'),
  },
  {
    id: 'doc-exports',
    title: 'Document what is exported',
    why: 'It is read in editors where the code is not.',
    area: 'documentation',
    reference: 'TSDoc; eslint-plugin-jsdoc: require-jsdoc',
    check: (facts) =>
      shareOf(sourceFiles(facts), {
        part: ({ documented }) => documented,
        whole: ({ documentable }) => documentable,
        least: 0.8,
        what: 'exported names with documentation',
      }),
  },
  {
    id: 'doc-readme',
    title: 'Say in a README what it is and how to start',
    why: 'It is the first, and often the only page that is read.',
    area: 'documentation',
    reference: 'GitHub documentation: About READMEs',
    check: atRoot(/^readme(\.|$)/i, 'README'),
  },
  {
    id: 'doc-changelog',
    title: 'Keep a change log',
    why: 'Users decide by it whether to upgrade.',
    area: 'documentation',
    reference: 'Keep a Changelog 1.1.0',
    check: atRoot(/^(changelog|changes|history)(\.|$)|^\.changeset$/i, 'change log'),
  },
  {
    id: 'small-functions',
    title: 'Keep functions simple',
    why: 'Above ten paths a function is no longer tested path by path.',
    area: 'complexity',
    reference: 'McCabe 1976, A Complexity Measure; ESLint: complexity',
    check: (facts) =>
      atMost(sourceFiles(facts), ({ largeFunctions }) => largeFunctions, 'functions with more than 10 paths'),
  },
  {
    id: 'strict-equality',
    title: 'Compare with === except with null',
    why: 'What == converts is not what people expect.',
    area: 'complexity',
    reference: 'ESLint: eqeqeq (null: ignore)',
    check: absent('looseEquality', 'comparisons with == or !='),
  },
  {
    id: 'no-var',
    title: 'Declare with const and let',
    why: 'A var is visible before and outside of its block.',
    area: 'complexity',
    reference: 'ESLint: no-var',
    check: absent('var', 'declarations with var'),
  },
  {
    id: 'throw-errors',
    title: 'Throw errors, not strings',
    why: 'Only an Error carries a stack and a cause.',
    area: 'complexity',
    reference: 'typescript-eslint: only-throw-error',
    check: absent('thrownLiteral', 'thrown literals'),
  },
  {
    id: 'no-empty-catch',
    title: 'Do not swallow errors',
    why: 'An empty catch turns a failure into a silent wrong result.',
    area: 'complexity',
    reference: 'ESLint: no-empty',
    check: absent('emptyCatch', 'empty catch blocks'),
  },
  {
    id: 'no-unused',
    title: 'Let the compiler or linter report unused names',
    why: 'Dead code is read, changed and tested for nothing.',
    area: 'unused',
    reference: 'TypeScript TSConfig reference: noUnusedLocals; ESLint: no-unused-vars',
    check: (facts) => {
      const { status, ...rest } = option('noUnusedLocals')(facts)
      return status === 'followed' || !hasLinter(facts) ? { status, ...rest } : followed('a linter is configured')
    },
  },
  {
    id: 'no-unused-imports',
    title: 'Import only what is used',
    why: 'Each import is loaded, bundled and kept up to date.',
    area: 'unused',
    reference: 'eslint-plugin-unused-imports; TypeScript TSConfig reference: noUnusedLocals',
    check: (facts) => atMost(facts.files, ({ unusedImports }) => unusedImports, 'unused imported names'),
  },
  {
    id: 'esm',
    title: 'Say that the package is made of ES modules',
    why: 'Node otherwise decides file by file how to load it.',
    area: 'project',
    reference: 'Node.js documentation: Modules: Packages, "type"',
    check: ({ project: { packageJson } }) => {
      if (packageJson === undefined) return unknown('there is no package.json')
      const type = jsonAt(packageJson, 'type')
      return type === 'module'
        ? followed('"type" is "module"', 'package.json')
        : broken('"type" is not "module"', 'package.json')
    },
  },
  {
    id: 'engines',
    title: 'Name the versions of Node that are supported',
    why: 'Installing on another one then warns instead of failing at run time.',
    area: 'project',
    reference: 'npm documentation: package.json, engines',
    check: ({ project: { packageJson } }) => {
      if (packageJson === undefined) return unknown('there is no package.json')
      return jsonAt(packageJson, 'engines', 'node') === undefined
        ? broken('engines.node is absent', 'package.json')
        : followed('engines.node is given', 'package.json')
    },
  },
  {
    id: 'lock-file',
    title: 'Commit a lock file',
    why: 'Everybody then tests with the same dependencies.',
    area: 'project',
    reference: 'npm documentation: package-lock.json',
    check: atRoot(/^(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?)$/, 'lock file'),
  },
  {
    id: 'linter',
    title: 'Configure a linter',
    why: 'What a program can find should not need a reviewer.',
    area: 'project',
    reference: 'ESLint: Getting started',
    check: (facts) =>
      hasLinter(facts) ? followed('a linter is configured', linterFile(facts)) : broken('no linter is configured'),
  },
  {
    id: 'formatter',
    title: 'Configure a formatter',
    why: 'Differences then show what changed, not who wrote it.',
    area: 'project',
    reference: 'Prettier: Why Prettier?',
    check: atRoot(/^\.?(prettier|oxfmt|biome|dprint|editorconfig)/, 'configuration of a formatter'),
  },
  {
    id: 'tests',
    title: 'Have tests, and a script that runs them',
    why: 'Nothing else says that a change keeps what worked.',
    area: 'project',
    reference: 'npm documentation: npm-test',
    check: ({ project: { packageJson }, files }) => {
      const script = jsonAt(packageJson, 'scripts', 'test')
      const tests = files.filter(({ isTest }) => isTest).length
      if (script === undefined || String(script).includes('no test specified'))
        return broken('there is no test script', 'package.json')
      return tests > 0
        ? followed(`${tests} test files`, 'package.json')
        : unknown('a test script, but no tests in the target')
    },
  },
  {
    id: 'licence',
    title: 'Ship a licence',
    why: 'Without one nobody may use it.',
    area: 'project',
    reference: 'choosealicense.com: No license',
    check: atRoot(/^licen[cs]e(\.|$)|^copying$/i, 'licence file'),
  },
  {
    id: 'ci',
    title: 'Run the checks on every change',
    why: 'What is not run is not kept.',
    area: 'project',
    reference: 'Fowler 2006, Continuous Integration',
    check: atRoot(
      /^(\.github|\.gitlab-ci\.yml|\.circleci|azure-pipelines\.yml|Jenkinsfile|\.travis\.yml)$/,
      'continuous integration',
    ),
  },
]

const linterFile = ({ project: { entries } }: Facts): string | null =>
  entries.find((entry) => /^(\.eslintrc|eslint\.config|\.?oxlint|biome\.json|tslint\.json|\.xo-config)/.test(entry)) ??
  null

const hasLinter = (facts: Facts): boolean =>
  linterFile(facts) !== null || jsonAt(facts.project.packageJson, 'eslintConfig') !== undefined
