import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { findSources, isEvolutionError } from '../../../machines/evolution/index.ts'
import { makeFolder, makeProject } from './world.ts'

it('finds TypeScript and JavaScript of every flavour, sorted, and nothing that a tool made', async () => {
  const root = makeProject({
    'b.ts': '',
    'a.tsx': '',
    'c.mts': '',
    'd.cts': '',
    'e.js': '',
    'f.jsx': '',
    'g.mjs': '',
    'h.cjs': '',
    'types.d.ts': '',
    'types.d.mts': '',
    'lib.min.js': '',
    'notes.md': '',
    'dist/out.js': '',
    'build/out.js': '',
    'coverage/out.js': '',
    'node_modules/x/index.js': '',
    '.hidden/x.ts': '',
    'deep/er/z.ts': '',
  })
  const { files, target } = await findSources({ path: root })
  expect(files).toEqual(['a.tsx', 'b.ts', 'c.mts', 'd.cts', 'deep/er/z.ts', 'e.js', 'f.jsx', 'g.mjs', 'h.cjs'])
  expect(target).toBe('.')
})

it('takes the nearest folder with a package.json as the root', async () => {
  const root = makeProject({ 'src/deep/a.ts': 'export {}' })
  const fromFolder = await findSources({ path: join(root, 'src/deep') })
  const fromFile = await findSources({ path: join(root, 'src/deep/a.ts') })
  expect(fromFolder).toMatchObject({ root, target: 'src/deep', files: ['src/deep/a.ts'] })
  expect(fromFile).toMatchObject({ root, target: 'src/deep/a.ts', files: ['src/deep/a.ts'] })
})

it('says which path does not exist and what to do', async () => {
  const error: unknown = await findSources({ path: '/no/such/place' }).catch((thrown: unknown) => thrown)
  expect(isEvolutionError(error, 'evolution.no-such-path')).toBe(true)
  expect(error).toMatchObject({ name: 'EvolutionError', path: '/no/such/place' })
  expect(String(error)).toContain('/no/such/place')
})

it('says when there are no sources, also in a folder with the name of one', async () => {
  const root = makeFolder()
  mkdirSync(join(root, 'x.ts'))
  for (const path of [root, join(root, 'x.ts')]) {
    await expect(findSources({ path })).rejects.toMatchObject({ code: 'evolution.no-sources' })
  }
})

it('names files that are too large, minified, not text, or links', async () => {
  const root = makeProject({
    'fine.ts': 'export {}',
    'large.ts': `// ${'x '.repeat(3000)}\n`.repeat(9),
    'packed.js': 'a;'.repeat(4000),
  })
  writeFileSync(join(root, 'latin.ts'), new Uint8Array([0x2f, 0x2f, 0xe9, 0x0a]))
  symlinkSync('/etc', join(root, 'out'))
  symlinkSync(join(root, 'fine.ts'), join(root, 'link.ts'))
  const { files, skipped } = await findSources({ path: root, bytesPerFile: 20_000 })
  expect(files).toEqual(['fine.ts'])
  expect(Object.fromEntries(skipped.map(({ file, reason }) => [file, reason]))).toEqual({
    'large.ts': expect.stringContaining('more than the limit of 20000'),
    'packed.js': 'the file is minified',
    'latin.ts': 'the file is not UTF-8',
    'link.ts': 'symbolic links are not followed',
  })
})

it.skipIf(process.getuid?.() === 0)('says when a file cannot be read (root can read everything)', async () => {
  const root = makeProject({ 'secret.ts': 'export {}' })
  chmodSync(join(root, 'secret.ts'), 0)
  await expect(findSources({ path: join(root, 'secret.ts') })).rejects.toMatchObject({ code: 'evolution.unreadable' })
})

it('stops when it is aborted', async () => {
  const root = makeProject({ 'a.ts': '' })
  await expect(findSources({ path: root, signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
})
