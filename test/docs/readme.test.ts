import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt, ROOT } from '../support/built-package.ts'
import { readPages, snippetsOf } from './pages.ts'

const readme = readPages().find(({ path }) => path === 'README.md')
const example = readme === undefined ? '' : (snippetsOf(readme)[0]?.code ?? '')

describe('the README', () => {
  it('tells the two commands', () => {
    const commands = [...(readme?.text ?? '').matchAll(/^```sh\n(?<command>.*)\n```$/gm)].map(
      ({ groups }) => groups?.['command'],
    )
    expect(commands).toEqual(['npm ci && npm start', 'npm ci && npm test'])
  })

  it('begins with the example that stands in examples/first.ts', () => {
    expect(example).toBe(readFileSync(join(ROOT, 'examples/first.ts'), 'utf8'))
  })

  it('says what the example prints', () => {
    ensureBuilt()
    const printed = execFileSync(process.execPath, ['examples/first.ts'], { cwd: ROOT, encoding: 'utf8' })
    expect(readme?.text).toContain(`It prints \`${printed.trim()}\`.`)
  })
})

describe('the example, in an empty project with nothing but the packed package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-empty-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  beforeAll(() => {
    ensureBuilt()
    const npm = (args: readonly string[], cwd: string): string =>
      execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: 'pipe' })
    // Without scripts: other tests use the same dist, which is fresh.
    const packed = JSON.parse(npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], ROOT)) as
      | readonly { readonly filename: string }[]
      | Readonly<Record<string, { readonly filename: string }>>
    const [tarball] = Object.values(packed)
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }))
    writeFileSync(join(folder, 'example.ts'), example)
    // The versions this checkout is tested with are in npm's cache after `npm ci`.
    npm(['install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball?.filename}`], folder)
  }, 120_000)

  it('runs', () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, ['example.ts'], { cwd: folder, encoding: 'utf8' })
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: '40 pieces at 12.5 (counted today, price list of May)\n',
      stderr: '',
    })
  })

  it('compiles under the strictest settings', () => {
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2024',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: true,
      noEmit: true,
      types: ['node'],
      typeRoots: [join(ROOT, 'node_modules/@types')],
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['example.ts'] }))
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
    const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })
})
