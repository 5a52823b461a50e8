import { isJsDoc } from './documentation.ts'
import type { Conventions } from './schema.ts'
import { isTestFile } from './sources.ts'
import type { SyntaxTree } from './syntax-tree.ts'

/** What edits keep to where nothing is known about a project. */
export const defaultConventions: Conventions = {
  indent: 2,
  quotes: 'single',
  semicolons: true,
  eol: 'lf',
  modules: 'esm',
  paramHyphen: true,
  blankLineBeforeTags: true,
  tests: 'none',
}

/** Counts of the ways of writing in one file; sums of them are the counts of a project. */
export interface StyleCounts {
  readonly tabs: number
  readonly indents: ReadonlyMap<number, number>
  readonly single: number
  readonly double: number
  readonly semicolons: number
  readonly bareEnds: number
  readonly crlf: number
  readonly lf: number
  readonly esm: number
  readonly commonjs: number
  readonly hyphens: number
  readonly bareParams: number
  readonly blankBeforeTags: number
  readonly tightTags: number
}

/** Counts how one file is written. */
export function countStyle({ text, program, comments }: SyntaxTree): StyleCounts {
  const indents = new Map<number, number>()
  for (const [, spaces = ''] of text.matchAll(/^( +)[^\s*]/gm))
    indents.set(spaces.length, (indents.get(spaces.length) ?? 0) + 1)
  const docs = comments.filter(isJsDoc).map(({ value }) => value)
  const count = (pattern: RegExp) => docs.reduce((sum, doc) => sum + (doc.match(pattern)?.length ?? 0), 0)
  const ending = ['ImportDeclaration', 'ExpressionStatement', 'VariableDeclaration']
  const simple = program.body.filter(({ type }) => ending.includes(type))
  const ended = simple.filter(({ end }) => text[end - 1] === ';').length
  const isEsm = program.body.some(({ type }) => type === 'ImportDeclaration' || type.startsWith('Export'))
  return {
    tabs: text.match(/^\t+\S/gm)?.length ?? 0,
    indents,
    single: text.match(/'(?:[^'"\\\n])*'/g)?.length ?? 0,
    double: text.match(/"(?:[^'"\\\n])*"/g)?.length ?? 0,
    semicolons: ended,
    bareEnds: simple.length - ended,
    crlf: text.match(/\r\n/g)?.length ?? 0,
    lf: text.match(/(?<!\r)\n/g)?.length ?? 0,
    esm: isEsm ? 1 : 0,
    commonjs: !isEsm && /\brequire\(|\bmodule\.exports\b/.test(text) ? 1 : 0,
    hyphens: count(/@param\s+(?:\{[^}]*\}\s*)?\S+\s+-\s/g),
    bareParams: count(/@param\s+(?:\{[^}]*\}\s*)?[\w.[\]$]+[ \t]+(?!-)\S/g),
    blankBeforeTags: count(/\w[^\n]*\r?\n\s*\*[ \t]*\r?\n\s*\*\s*@/g),
    tightTags: count(/\*[ \t]+\w[^\n]*\r?\n\s*\*[ \t]*@(?:param|returns?|throws)/g),
  }
}

/** Decides by majority; what does not occur is as in the defaults. */
export function conventionsFrom(counts: readonly StyleCounts[], files: readonly string[]): Conventions {
  const sum = (key: Exclude<keyof StyleCounts, 'indents'>) => counts.reduce((total, entry) => total + entry[key], 0)
  const wins = (yes: Parameters<typeof sum>[0], no: Parameters<typeof sum>[0], fallback: boolean) =>
    sum(yes) === sum(no) ? fallback : sum(yes) > sum(no)
  return {
    indent: indentOf(counts, sum('tabs')),
    quotes: wins('single', 'double', true) ? 'single' : 'double',
    semicolons: wins('semicolons', 'bareEnds', true),
    eol: wins('crlf', 'lf', false) ? 'crlf' : 'lf',
    modules: sum('commonjs') === 0 ? 'esm' : sum('esm') === 0 ? 'commonjs' : 'mixed',
    paramHyphen: wins('hyphens', 'bareParams', defaultConventions.paramHyphen),
    blankLineBeforeTags: wins('blankBeforeTags', 'tightTags', defaultConventions.blankLineBeforeTags),
    tests: testLayout(files),
  }
}

function indentOf(counts: readonly StyleCounts[], tabs: number): Conventions['indent'] {
  const lines = new Map<number, number>()
  for (const { indents } of counts) {
    for (const [width, number] of indents) lines.set(width, (lines.get(width) ?? 0) + number)
  }
  const total = [...lines.values()].reduce((sum, number) => sum + number, 0)
  if (tabs > total) return 'tab'
  const even = [2, 4, 8].filter((step) => [...lines].some(([width]) => width === step))
  const fits = (step: number) =>
    [...lines].reduce((sum, [width, number]) => sum + (width % step === 0 ? number : 0), 0) / Math.max(total, 1)
  return even.findLast((step) => fits(step) > 0.6) ?? 2
}

function testLayout(files: readonly string[]): Conventions['tests'] {
  const tests = files.filter(isTestFile)
  if (tests.length === 0) return 'none'
  const beside = tests.filter(
    (file) => /\.(test|spec)\.[cm]?[jt]sx?$/.test(file) && !/(^|\/)(tests?|spec|__tests__)\//.test(file),
  )
  return beside.length * 2 > tests.length ? 'beside' : 'folder'
}
