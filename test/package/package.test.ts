// The package as others get it: packed, inspected, installed into an empty project, and used there.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { glob, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const run = promisify(execFile)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PATIENCE_MS = 240_000

interface Manifest {
  readonly name: string
  readonly version: string
  readonly bin: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>
  readonly files: readonly string[]
}

const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as Manifest
const readme = await readFile(join(ROOT, 'README.md'), 'utf8')

let work = ''
let tarball = ''
let packed: readonly string[] = []

/** npm as a user calls it, with this very Node and nothing of the npm that runs the tests. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_(package|lifecycle|command|config_local_prefix|config_workspace)|INIT_CWD)/i.test(name),
  )
  return { ...Object.fromEntries(kept), PATH: [dirname(process.execPath), process.env['PATH']].join(delimiter) }
}

async function npm(command: 'npm' | 'npx', args: readonly string[], cwd: string): Promise<string> {
  const { stdout } = await run(command, [...args], { cwd, env: environment(), timeout: PATIENCE_MS })
  return stdout
}

/** Runs the bin of an installed development tool; what it prints is in the error when it fails. */
async function tool(name: string, args: readonly string[]): Promise<string> {
  const home = join(ROOT, 'node_modules', name)
  const { bin } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as {
    bin: string | Record<string, string>
  }
  const file = typeof bin === 'string' ? bin : Object.values(bin)[0]
  if (file === undefined) throw new Error(`${name} has no bin`)
  try {
    const { stdout } = await run(process.execPath, [join(home, file), ...args], { cwd: work, timeout: PATIENCE_MS })
    return stdout
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`${name} ${args.join(' ')} found fault:\n${stdout}${stderr}`, { cause: error })
  }
}

async function newest(pattern: string): Promise<number> {
  let time = 0
  for await (const path of glob(pattern, { cwd: ROOT })) time = Math.max(time, (await stat(join(ROOT, path))).mtimeMs)
  return time
}

/** Builds only when the source is newer: other tests may be using what is there. */
async function build(): Promise<void> {
  if ((await newest('dist/**/*.js')) > (await newest('{src,machines}/**/*.ts'))) return
  await npm('npm', ['run', '--silent', 'build'], ROOT)
}

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'callboard-package-'))
  await build()
  const out = await npm('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', work], ROOT)
  const [{ filename, files } = { filename: '', files: [] }] = JSON.parse(out) as {
    filename: string
    files: { path: string }[]
  }[]
  tarball = join(work, filename)
  packed = files.map(({ path }) => path)
}, PATIENCE_MS)

afterAll(() => rm(work, { recursive: true, force: true }))

describe('the tarball', () => {
  it('contains the built code, README, licence, change log and manifest, and nothing else', () => {
    const besides = ['README.md', 'LICENSE', 'CHANGELOG.md', 'package.json']
    const folders = /^(?:dist|machines\/task\/schemas)\//
    expect(packed.filter((path) => !folders.test(path) && !besides.includes(path))).toEqual([])
    expect(packed).toContain('package.json')
    expect(packed).toContain('LICENSE')
    expect(packed.filter((path) => !/\.(js|d\.ts|json|md|css|html|svg|txt)$|^LICENSE$/.test(path))).toEqual([])
  })

  it('contains nothing whose source is gone', () => {
    const sourceOf = (path: string): string =>
      path
        .replace(/^dist\/(?!machines\/)/, 'src/')
        .replace(/^dist\//, '')
        .replace(/(\.d)?\.[jt]s$/, '.ts')
    const compiled = packed.filter((path) => /^dist\/(?!server\/swagger-ui\/).*\.[jt]s$/.test(path))
    expect(compiled.filter((path) => !existsSync(join(ROOT, sourceOf(path))))).toEqual([])
  })

  it('has everything that `exports`, `bin` and `files` promise', () => {
    const targets = Object.values(manifest.exports).flatMap((target) =>
      typeof target === 'string' ? [target] : Object.values(target),
    )
    const promised = [...targets, ...Object.values(manifest.bin)].map((path) => path.replace(/^\.\//, ''))
    const isPacked = (path: string): boolean =>
      path.endsWith('*') ? packed.some((file) => file.startsWith(path.slice(0, -1))) : packed.includes(path)
    expect(promised.filter((path) => !isPacked(path))).toEqual([])
    expect(manifest.files.filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })

  it('passes publint', { timeout: PATIENCE_MS }, async () => {
    expect(await tool('publint', [tarball, '--strict'])).toContain('All good!')
  })

  it('passes “are the types wrong?” for users of ES modules', { timeout: PATIENCE_MS }, async () => {
    // Its exit code tells of problems; the lines of the summary tell that it looked at every entry.
    const summary = await tool('@arethetypeswrong/cli', [
      tarball,
      '--profile',
      'esm-only',
      '--no-emoji',
      '--format',
      'ascii',
    ])
    const entries = Object.values(manifest.exports).filter((target) => typeof target !== 'string')
    expect(summary.split('node16 (from ESM): OK (ESM)')).toHaveLength(entries.length + 1)
  })
})

describe('installed into an empty project', () => {
  let project = ''

  beforeAll(async () => {
    project = await mkdtemp(join(work, 'project-'))
    await writeFile(join(project, 'package.json'), '{ "name": "project", "private": true, "type": "module" }\n')
    await npm('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], project)
  }, PATIENCE_MS)

  it('runs no install script, of its own or of a dependency', async () => {
    const lock = JSON.parse(await readFile(join(project, 'node_modules/.package-lock.json'), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: boolean }>
    }
    const names = Object.keys(lock.packages)
    expect(names).toContain(`node_modules/${manifest.name}`)
    expect(names.filter((name) => lock.packages[name]?.hasInstallScript === true)).toEqual([])
  })

  it(
    'is imported by name, and loads no door, backend or drawing that is not used',
    { timeout: PATIENCE_MS },
    async () => {
      const script = [
        `import { registerHooks } from 'node:module'`,
        `const loaded = []`,
        `registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) })`,
        `const names = Object.keys(await import('callboard'))`,
        `console.log(JSON.stringify({ names, loaded }))`,
      ].join('\n')
      await writeFile(join(project, 'loads.mjs'), script)
      const { stdout } = await run(process.execPath, ['loads.mjs'], { cwd: project })
      const { names, loaded } = JSON.parse(stdout) as { names: string[]; loaded: string[] }
      expect(names).toContain('createRuntime')
      expect(loaded.some((url) => url.includes('/callboard/dist/runtime/'))).toBe(true)
      const unused =
        /node_modules\/(commander|elkjs|hono|pg|redis|ai|@opentelemetry)\/|dist\/(cli|graph|memory|server|studio|mcp|ai|otel|store\/\w+)\/|node:sqlite/
      expect(loaded.filter((url) => unused.test(url))).toEqual([])
    },
  )

  it('searches vectors without sqlite-vec, and says how to install it when it is asked for', async () => {
    const script = [
      `import { createMemory, createVolatileMemory } from 'callboard/memory'`,
      `const me = (await createMemory()).for({ runId: 'run' })`,
      `await me.remember([{ op: 'add', kind: 'semantic', scope: 'global', text: 'tea' }])`,
      `console.log((await me.recall('tea', { mode: 'vector' })).length)`,
      `try { createVolatileMemory({ vectors: 'sqlite-vec' }) } catch (error) { console.log(error.code, error.message) }`,
    ].join('\n')
    await writeFile(join(project, 'vectors.mjs'), script)
    const { stdout } = await run(process.execPath, ['vectors.mjs'], { cwd: project })
    expect(stdout).toMatch(/^1\nmemory\.no-sqlite-vec .*npm i sqlite-vec@0\.1\.9/)
  })

  it('has callboard/ai without the AI SDK, and says how to install it when a model is to be called', async () => {
    const script = [
      `import { createRuntime, defineContext, entry } from 'callboard'`,
      `import { loadModel, modelAgent } from 'callboard/ai'`,
      `import { z } from 'zod'`,
      `const board = defineContext({ goal: entry(z.string()) })`,
      `const planner = modelAgent(board, { model: 'maker/model', instructions: 'Plan.', reads: ['goal'] })`,
      `const machine = board.workflow({ agents: { planner } }).createMachine({ id: 'w', invoke: { src: 'planner' } })`,
      `const say = (error) => console.log(error.code, error.message)`,
      `const run = await (await createRuntime()).start(machine)`,
      `await run.done.catch(say)`,
      `await loadModel('openai/gpt-5').catch(say)`,
    ].join('\n')
    await writeFile(join(project, 'models.mjs'), script)
    const { stdout } = await run(process.execPath, ['models.mjs'], { cwd: project })
    expect(stdout.trim().split('\n')).toEqual([
      'ai.package-missing the package "ai" could not be loaded; install it with: npm i ai@7',
      'ai.package-missing the package "@ai-sdk/openai" could not be loaded; install it with: npm i @ai-sdk/openai',
    ])
  })

  it('type-checks and runs the first example of the README', { timeout: PATIENCE_MS }, async () => {
    const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1]
    expect(example, 'the README has a block of TypeScript').toBeDefined()
    await writeFile(join(project, 'example.ts'), example ?? '')
    const compilerOptions = {
      target: 'es2024',
      lib: ['es2024', 'esnext'],
      module: 'nodenext',
      strict: true,
      skipLibCheck: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules/@types')],
    }
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['example.ts'] }))
    await tool('typescript', ['-p', join(project, 'tsconfig.json')])
    await run(process.execPath, ['example.ts'], { cwd: project, timeout: 60_000 })
  })

  it('tells its version: `callboard --version`', { timeout: PATIENCE_MS }, async () => {
    const out = await npm('npx', ['--no-install', 'callboard', '--version'], project)
    expect(out.trim()).toBe(manifest.version)
  })
})
