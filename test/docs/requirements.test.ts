import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../support/built-package.ts'

interface Row {
  readonly number: number
  readonly how: string
  readonly tests: readonly { readonly file: string; readonly name: string }[]
}

const page = readFileSync(join(ROOT, 'docs/requirements.md'), 'utf8')
const rows: readonly Row[] = page.split('\n').flatMap((line) => {
  const cells = /^\| (?<number>\d+) \| (?<how>.*?) ?\| (?<tests>.*?) ?\|$/.exec(line)?.groups
  if (cells === undefined) return []
  const tests = [...(cells['tests'] ?? '').matchAll(/\]\(\.\.\/(?<file>[^)]+)\): (?<name>.*?)(?=<br>|$)/g)].map(
    ({ groups }) => ({ file: groups?.['file'] ?? '', name: groups?.['name'] ?? '' }),
  )
  return [{ number: Number(cells['number']), how: cells['how'] ?? '', tests }]
})

/** The first to the last number, inclusive. */
const range = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

describe('docs/requirements.md', () => {
  it('has every number, once, in order', () => {
    expect(rows.map(({ number }) => number)).toEqual(range(1, 297))
  })

  it('shows each by a test, or says why there is none', () => {
    const silent = rows.filter(({ how, tests }) => tests.length === 0 && !how.startsWith('Not yet: '))
    expect(silent.map(({ number }) => number)).toEqual([])
  })

  it('names tests that exist', () => {
    const missing = rows.flatMap(({ number, tests }) =>
      tests
        .filter(({ file, name }) => {
          const path = join(ROOT, file)
          if (!existsSync(path)) return true
          return !quotes(readFileSync(path, 'utf8'), name)
        })
        .map(({ file, name }) => `${number}: ${file}: ${name}`),
    )
    expect(missing).toEqual([])
  })
})

/** Whether a source has the text as a whole string literal. */
function quotes(source: string, text: string): boolean {
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${text}${quote}`))
}
