import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt, ROOT } from '../support/built-package.ts'
import { moduleOf, readPages, snippetsOf } from './pages.ts'

// Inside the checkout, so that `callboard` and its dependencies are found as in any project; ignored by git and linters.
const FOLDER = join(ROOT, '.callboard/snippets')
const pages = readPages().filter((page) => snippetsOf(page).some(({ ignored }) => ignored === undefined))
const fileOf = (path: string): string => `${path.replaceAll('/', '-').replace(/\.md$/, '')}.ts`

beforeAll(() => {
  ensureBuilt()
  rmSync(FOLDER, { recursive: true, force: true })
  mkdirSync(FOLDER, { recursive: true })
  for (const page of pages) writeFileSync(join(FOLDER, fileOf(page.path)), moduleOf(page))
  const tsconfig = {
    extends: '../../tsconfig.json',
    compilerOptions: {
      // A page shows names that it does not go on to use.
      noUnusedLocals: false,
      paths: {
        callboard: ['../../src/index.ts'],
        'callboard/machines/*': ['../../machines/*.ts'],
        'callboard/*': ['../../src/*/index.ts'],
      },
    },
    include: ['*.ts'],
  }
  writeFileSync(join(FOLDER, 'tsconfig.json'), JSON.stringify(tsconfig))
})

describe('the code in README and docs', () => {
  it('is there', () => {
    expect(pages.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['README.md', 'docs/context.md', 'docs/waits.md']),
    )
  })

  it('compiles', () => {
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
    const { stdout, stderr, status } = spawnSync(process.execPath, [compiler, '-p', FOLDER], { encoding: 'utf8' })
    expect(`${stdout}${stderr}`).toBe('')
    expect(status).toBe(0)
  })

  it.each(pages.map(({ path }) => path))('%s runs to its end', (path) => {
    const { status, stderr } = spawnSync(process.execPath, [fileOf(path)], {
      cwd: FOLDER,
      encoding: 'utf8',
      timeout: 60_000,
    })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  it('is left out of this only with a reason', () => {
    const bare = readPages().flatMap((page) =>
      snippetsOf(page)
        .filter(({ ignored }) => ignored === '')
        .map(({ line }) => `${page.path}:${line}`),
    )
    expect(bare).toEqual([])
  })
})
