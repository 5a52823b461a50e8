import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { makePatch } from '../../../machines/evolution/index.ts'
import { makeFolder } from './world.ts'

function writeAll(root: string, files: Readonly<Record<string, string>>): void {
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), content)
  }
}

async function patchAndApply(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>) {
  const [root, directory] = [makeFolder(), makeFolder()]
  writeAll(root, before)
  writeAll(directory, after)
  const patch = await makePatch({ root, directory, files: Object.keys(before) })
  execFileSync('git', ['init', '-q'], { cwd: root })
  if (patch !== '') execFileSync('git', ['apply', '--whitespace=nowarn', '-'], { cwd: root, input: patch })
  return Object.fromEntries(Object.keys(before).map((file) => [file, readFileSync(join(root, file), 'utf8')]))
}

it('applies to names with blanks, quotes, tabs, backslashes and any script', async () => {
  const names = [
    'my file.ts',
    'grüße/日本.ts',
    'tab\there.ts',
    'back\\slash.ts',
    'quo"te.ts',
    "it's.ts",
    'deep er/pl ain.ts',
  ]
  const before = Object.fromEntries(names.map((name) => [name, 'one\ntwo\n']))
  const after = Object.fromEntries(names.map((name) => [name, 'one\nzwei\n']))
  expect(await patchAndApply(before, after)).toEqual(after)
})

it.each([
  ['CRLF', 'a\r\nb\r\n', 'a\r\nx\r\nb\r\n'],
  ['a mixture of line ends', 'a\r\nb\nc\rd\n', 'a\r\nb\nc\rd\ne\n'],
  ['no line end before', 'a\nb', 'a\nb\n'],
  ['no line end after', 'a\nb\n', 'a\nb'],
  ['no line end at all', 'a\nb', 'x\na\nb'],
  ['a byte-order mark', '\uFEFFa\n', '\uFEFFx\na\n'],
  ['nothing before', '', 'a\n'],
  ['nothing after', 'a\n', ''],
  ['separators that are no line ends for git', 'a\u2028b\n', 'a\u2028c\n'],
])('applies with %s', async (_, before, after) => {
  expect(await patchAndApply({ 'a.ts': before }, { 'a.ts': after })).toEqual({ 'a.ts': after })
})

it('is empty without differences', async () => {
  const [root, directory] = [makeFolder(), makeFolder()]
  for (const folder of [root, directory]) writeAll(folder, { 'a.ts': 'a\n' })
  expect(await makePatch({ root, directory, files: ['a.ts'] })).toBe('')
})

it('applies whatever the difference', async () => {
  const text = fc.array(
    fc.constantFrom(
      'a\n',
      'b\r\n',
      '\n',
      '\t \n',
      'é😀\n',
      '--- a\n',
      '+++ b\n',
      '@@ -1 +1 @@\n',
      '\\ No newline\n',
      'end',
    ),
    { maxLength: 12 },
  )
  await fc.assert(
    fc.asyncProperty(text, text, async (before, after) => {
      const [one, two] = [{ 'a.ts': before.join('') }, { 'a.ts': after.join('') }]
      expect(await patchAndApply(one, two)).toEqual(two)
    }),
    { numRuns: 30 },
  )
})
