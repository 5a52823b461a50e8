import { execFileSync } from 'node:child_process'
import { cpSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it } from 'vitest'
import type { Run } from './world.ts'
import { checkout, evolve, makeFolder } from './world.ts'

async function evolvePackage(name: string, target = '.'): Promise<Run & { readonly root: string }> {
  const root = join(makeFolder(), name)
  cpSync(join(checkout, 'node_modules', name), root, { recursive: true })
  const run = await evolve(join(root, target))
  expect(run.after.metrics.parseErrors).toBe(run.analysis.metrics.parseErrors)
  expect(run.implementation.dropped).toEqual([])
  expect(run.implementation.totalChanges).toBeGreaterThan(0)
  execFileSync('git', ['init', '-q'], { cwd: root })
  execFileSync('git', ['apply', '-'], { cwd: root, input: run.patch })
  return { ...run, root }
}

/** Runs a program in a fresh process, so that the package is loaded from the folder and nowhere else. */
function answer(program: string, folder: string): string {
  const url = JSON.stringify(pathToFileURL(`${folder}/`).href)
  return execFileSync(process.execPath, ['--input-type=module', '-e', `const base = ${url}\n${program}`], {
    encoding: 'utf8',
  })
}

it('leaves commander parsing as before', async () => {
  const { root } = await evolvePackage('commander')
  const program = `
    const { Command, Option, InvalidArgumentError } = await import(new URL('index.js', base))
    const out = []
    const make = () => new Command('tool').exitOverride().configureOutput({ writeOut: (s) => out.push(s), writeErr: (s) => out.push(s) })
      .addOption(new Option('-s, --size <n>').argParser((n) => { if (isNaN(n)) throw new InvalidArgumentError('no number'); return +n }))
      .option('-v, --verbose').argument('<file>').action((file, options) => out.push({ file, options }))
    for (const args of [['a'], ['a', '-s', '3', '-v'], ['a', '-s', 'x'], [], ['--bogus'], ['--help']]) {
      try { make().parse(args, { from: 'user' }) } catch (error) { out.push(error.code) }
    }
    console.log(JSON.stringify(out))`
  const original = answer(program, join(checkout, 'node_modules/commander'))
  expect(original).toContain('commander.unknownOption')
  expect(answer(program, root)).toBe(original)
})

it('leaves chevrotain parsing as before', async () => {
  const { root, implementation } = await evolvePackage('chevrotain')
  symlinkSync(join(checkout, 'node_modules'), join(root, 'node_modules'))
  expect(new Set(implementation.changes.map(({ edit }) => edit))).toContain('flatten-else')
  const program = `
    const { CstParser, Lexer, createToken, generateCstDts } = await import(new URL('lib/src/api.js', base))
    const Plus = createToken({ name: 'Plus', pattern: /\\+/ }), Num = createToken({ name: 'Num', pattern: /\\d+/ })
    const Space = createToken({ name: 'Space', pattern: /\\s+/, group: Lexer.SKIPPED })
    class Sum extends CstParser {
      constructor() {
        super([Plus, Num])
        this.RULE('sum', () => { this.CONSUME(Num); this.MANY(() => { this.CONSUME(Plus); this.CONSUME2(Num) }) })
        this.performSelfAnalysis()
      }
    }
    const lexer = new Lexer([Space, Plus, Num]), parser = new Sum()
    for (const text of ['1 + 2', '1 +', 'x', '']) {
      const { tokens, errors } = lexer.tokenize(text)
      parser.input = tokens
      console.log(JSON.stringify([errors, parser.sum(), parser.errors.map(({ name, message }) => [name, message])]))
    }
    console.log(generateCstDts(parser.getGAstProductions()))`
  const original = answer(program, join(checkout, 'node_modules/chevrotain'))
  expect(original).toContain('NoViableAlt'.slice(0, 2))
  expect(answer(program, root)).toBe(original)
}, 60_000)
