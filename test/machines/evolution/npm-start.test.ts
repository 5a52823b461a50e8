// The command behind `npm start`, as its users run it.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { watch } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { importEvolution } from '../../../machines/evolution/index.ts'
import { start } from '../../cli/world.ts'
import type { Ended } from '../../cli/world.ts'
import { ensureBuilt } from '../../support/built-package.ts'
import { shop } from './shop.ts'
import { hashOf, linkPackages, makeFolder, makeProject, tsc } from './world.ts'

beforeAll(ensureBuilt)

const main = 'machines/evolution/main.ts'

const evolve = (cwd: string, ...args: string[]): Promise<Ended> => start(main, args, { cwd }).ended

const git = (cwd: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], {
    cwd,
    encoding: 'utf8',
    stdio: 'pipe',
  })

/** The command that the summary ends with. */
const nextOf = (stdout: string): string => /\nnext: (.*)\n$/.exec(stdout)?.[1] ?? ''

const only = (folder: string): string =>
  join(folder, readdirSync(folder).filter((name) => name !== '.gitignore')[0] ?? '')

describe('npm start', () => {
  it('leaves a patch that git applies, after which the project compiles and its own tests pass', async () => {
    const root = makeProject(shop)
    linkPackages(root)
    git(root, 'init', '-q')
    git(root, 'add', 'src', 'test', 'package.json')
    const { code, stdout, stderr } = await evolve(root, '.')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/\nsuccess: the goals are reached to 100 % on average\n/)
    expect(stdout).toMatch(/compiler: no new errors\n/)
    const command = nextOf(stdout)
    expect(command).toMatch(/^git apply callboard-out\/run_\w+\/changes\.patch$/)
    execFileSync('sh', ['-c', command], { cwd: root })
    expect(git(root, 'diff', '--name-only').trim().split('\n')).toEqual(['src/currency.ts', 'src/price.ts'])
    execFileSync(process.execPath, [tsc, '-p', '.'], { cwd: root })
    execFileSync(process.execPath, ['--test', 'test/price.test.ts'], { cwd: root, stdio: 'pipe' })
    expect(readFileSync(join(root, 'src/price.ts'), 'utf8')).toContain('catch (error: unknown)')
  })

  it('leaves the reports and the context beside the patch, and git ignores them', async () => {
    const root = makeProject(shop)
    git(root, 'init', '-q')
    await evolve(root, '.')
    const folder = only(join(root, 'callboard-out'))
    expect(
      readdirSync(folder)
        .map((name) => name.replaceAll(/run_\w+/g, 'RUN'))
        .sort(),
    ).toEqual(['changes.patch', expect.stringMatching(/^evolution_RUN.json$/) as string, 'report.json', 'report.md'])
    expect(readFileSync(join(folder, 'report.md'), 'utf8')).toMatch(/^# Evolution of \.\n[\s\S]*\*\*success\*\*/)
    expect(JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'))).toMatchObject({
      evaluation: { verdict: 'success' },
    })
    const exported = readdirSync(folder).find((name) => name.startsWith('evolution_')) ?? ''
    expect(await importEvolution(join(folder, exported))).toMatchObject({ status: 'completed', targetPath: '.' })
    expect(git(root, 'status', '--porcelain')).not.toContain('callboard-out')
  })

  it('changes nothing of the target', async () => {
    const [root, elsewhere] = [makeProject(shop), makeFolder()]
    const before = hashOf(root)
    const { code } = await evolve(elsewhere, root)
    expect(code).toBe(0)
    expect(hashOf(root)).toBe(before)
    expect(readdirSync(elsewhere).sort()).toEqual(['.callboard', 'callboard-out'])
  })

  it('shows phases, agents and waits while it runs', async () => {
    const { stdout } = await evolve(makeFolder(), makeProject(shop))
    for (const line of [
      'phase research',
      'analyst began',
      'researcher began',
      'planner waits for analysis.original (analyst), research.external (researcher)',
      'implementer 2/2 asks the compiler',
      'evaluator wrote evaluation.results',
      'phase completed',
    ]) {
      expect(stdout).toContain(`  ${line}\n`)
    }
  })

  it('writes nothing but one JSON document with --json', async () => {
    const root = makeProject(shop)
    const { code, stdout, stderr } = await evolve(root, '.', '--json', '--out', 'results')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const document = JSON.parse(stdout) as { readonly files: { readonly patch: string }; readonly next: string }
    expect(document).toMatchObject({
      verdict: 'success',
      successRate: 1,
      root,
      next: 'git apply results/changes.patch',
    })
    expect(existsSync(document.files.patch)).toBe(true)
  })

  it('keeps to the focus', async () => {
    const { stdout } = await evolve(makeFolder(), makeProject(shop), '--json', '--focus', 'types,unused')
    const { deltas } = JSON.parse(stdout) as { readonly deltas: Readonly<Record<string, number>> }
    expect(deltas['unusedImports']).toBe(-3)
    expect(deltas['documentedNames']).toBeUndefined()
  })

  it('gives a command that applies the patch to a package inside of a repository', async () => {
    const repository = makeFolder()
    const root = join(repository, 'packages', "the owner's shop")
    for (const [file, content] of Object.entries(shop)) {
      mkdirSync(join(root, file, '..'), { recursive: true })
      writeFileSync(join(root, file), content)
    }
    git(repository, 'init', '-q')
    const { stdout } = await evolve(root, 'src')
    execFileSync('sh', ['-c', nextOf(stdout)], { cwd: root })
    expect(readFileSync(join(root, 'src/price.ts'), 'utf8')).toContain('catch (error: unknown)')
  })

  it('names no command and writes no patch where there is nothing to change', async () => {
    const root = makeProject({ 'fine.js': '/** One. */\nexport const one = 1\n' })
    const { code, stdout } = await evolve(root, 'fine.js')
    expect(code).toBe(0)
    expect(stdout).not.toContain('next:')
    expect(readdirSync(only(join(root, 'callboard-out')))).not.toContain('changes.patch')
  })

  it('names files that do not parse and improves the others', async () => {
    const root = makeProject({ ...shop, 'src/broken.ts': 'export const = 3\n' })
    const { code, stdout } = await evolve(makeFolder(), root)
    expect(code).toBe(0)
    expect(stdout).toContain('  src/broken.ts:1:14 does not parse and was left alone: Unexpected token\n')
  })
})

describe('npm start -- --approve without a terminal', () => {
  it('says how to answer, leaves the plan, and exits with 3', async () => {
    const [root, elsewhere] = [makeProject(shop), makeFolder()]
    const { code, stderr } = await evolve(elsewhere, root, '--approve')
    expect(code).toBe(3)
    expect(stderr).toMatch(/^the plan waits for a person: carry out \d+ automatic tasks on a copy of 2 files\?\n/)
    expect(stderr).toMatch(/\nto answer, go on in a terminal: npx callboard resume run_\w+; /)
    const folder = only(join(elsewhere, 'callboard-out'))
    const known = await importEvolution(join(folder, readdirSync(folder)[0] ?? ''))
    expect(known).toMatchObject({ status: 'running_approval', implementationLog: null })
    expect(known.improvementPlan?.tasks.length).toBeGreaterThan(0)
  })
})

describe('input that cannot be used is answered with one line and exit code 2', () => {
  const files = { ...shop, 'broken/x.ts': 'export const = 3\n', 'texts/notes.txt': 'hello\n', 'a-file': '' }

  it.each([
    [['gone'], 'no such path "gone"; name an existing file or folder'],
    [['texts'], 'no source files in "texts"; name a file or folder with .ts, '],
    [['texts/notes.txt'], 'no source files in "texts/notes.txt"; '],
    [['broken'], 'broken/x.ts:1:14 does not parse: Unexpected token; correct it first'],
    [['src', '--focus', 'speed'], 'There is no area "speed"; choose from documentation, complexity, types, unused'],
    [['src', '--focus', ''], 'There is no area ""'],
    [['src', '--fast'], "unknown option '--fast'"],
    [['src', 'test'], 'too many arguments'],
    [
      ['src', '--out', 'src/results'],
      'cannot write to "src/results": it lies inside of "src"; name another folder with --out',
    ],
    [['src', '--out', 'a-file'], 'cannot write to "a-file": '],
  ])('%j', async (args, line) => {
    const root = makeProject(files)
    const before = hashOf(root)
    const { code, stderr } = await evolve(root, ...args)
    expect(code).toBe(2)
    expect(stderr).toContain(line)
    expect(stderr).toMatch(/^error: [^\n]+\n$/)
    expect(hashOf(root)).toBe(before)
  })

  it('leaves nothing inside of a target that contains the current folder', async () => {
    const root = makeProject(shop)
    const { code, stderr } = await evolve(join(root, 'src'), root)
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error: cannot write to "callboard-out\/run_\w+": it lies inside of /)
    expect(relative(root, only(join(root, 'src')))).not.toContain('callboard-out')
  })
})

async function appears(folder: string, name: string): Promise<void> {
  for await (const { filename } of watch(folder)) if (filename === name) return
}

describe('Ctrl-C', () => {
  /** A project whose compiler never ends, so that the signal always comes in time; it says when it has begun. */
  const makeSlowProject = (begun: string): string =>
    makeProject({
      ...shop,
      'node_modules/typescript/bin/tsc': `
        const { renameSync, writeFileSync } = require('node:fs')
        const begun = ${JSON.stringify(begun)}
        writeFileSync(begun + '.new', String(process.pid))
        renameSync(begun + '.new', begun)
        setInterval(() => {}, 1000)`,
      'node_modules/package.json': '{"type":"commonjs"}',
    })

  it('stops while files are copied, removes the copy, and exits with 130', async () => {
    const [copies, elsewhere] = [makeFolder(), makeFolder()]
    const root = makeSlowProject(join(elsewhere, 'pid'))
    const running = start(main, [root], { cwd: elsewhere, env: { TMPDIR: copies } })
    await running.seen('copies')
    running.child.kill('SIGINT')
    const { code, stderr } = await running.ended
    expect(code).toBe(130)
    expect(stderr).toMatch(
      /^stopped by SIGINT; nothing was changed and no results were written\ngo on with: npx callboard resume run_\w+\n$/,
    )
    expect(readdirSync(copies)).toEqual([])
  })

  it('stops the compiler, keeps the copy for whoever goes on, and exits with 130', async () => {
    const [copies, signals, elsewhere] = [makeFolder(), makeFolder(), makeFolder()]
    const root = makeSlowProject(join(signals, 'pid'))
    const begun = appears(signals, 'pid')
    const running = start(main, [root], { cwd: elsewhere, env: { TMPDIR: copies } })
    await begun
    running.child.kill('SIGINT')
    const { code, stdout } = await running.ended
    expect(code).toBe(130)
    expect(stdout).toContain('asks the compiler')
    expect(readdirSync(copies)).toEqual([expect.stringMatching(/^callboard-evolution-/)])
    expect(readdirSync(elsewhere)).toEqual(['.callboard'])
    const compiler = Number(readFileSync(join(signals, 'pid'), 'utf8'))
    expect(() => process.kill(compiler, 0)).toThrow('ESRCH')
  })
})
