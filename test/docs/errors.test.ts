import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../support/built-package.ts'

/** The codes of the errors that the sources make: the first argument of the constructor. */
function codesInSource(): ReadonlySet<string> {
  const files = ['src', 'machines'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join(folder, file)),
  )
  const codes = files.flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8')
    return [...text.matchAll(/new CallboardError\(\s*(?<code>'[^']*'|[^,)\s]+)/g)].flatMap(({ groups }) => {
      const { code = '' } = groups ?? {}
      if (code.startsWith("'")) return [code.slice(1, -1)]
      // An error made anew from a stored one; a code that is computed in another way could not be collected.
      return code.endsWith('.code') ? [] : [`${file}: computed code ${code}`]
    })
  })
  return new Set(codes)
}

const page = readFileSync(join(ROOT, 'docs/errors.md'), 'utf8')
const lines = page.split('\n').filter((line) => line.startsWith('| `'))
const onPage = lines.map((line) => /^\| `(?<code>[^`]+)`/.exec(line)?.groups?.['code'] ?? '')

describe('docs/errors.md', () => {
  it('explains every error code in the sources', () => {
    expect([...codesInSource()].filter((code) => !onPage.includes(code)).sort()).toEqual([])
  })

  it('explains no error code that does not exist, and none twice', () => {
    const codes = codesInSource()
    expect(onPage.filter((code) => !codes.has(code))).toEqual([])
    expect(onPage).toHaveLength(new Set(onPage).size)
  })

  it('gives every code a cause and a cure', () => {
    const poor = lines.filter((line) =>
      line
        .split('|')
        .slice(1, -1)
        .some((cell) => cell.trim().length < 5),
    )
    expect(poor).toEqual([])
  })

  it('is what the other pages mean: a code they name exists', () => {
    const codes = codesInSource()
    const families = new Set([...codes].map((code) => code.split('.')[0]))
    const pages = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))
    const unknown = pages.flatMap((name) => {
      const text = readFileSync(join(ROOT, 'docs', name), 'utf8')
      const parts = text.split(/^## Errors$/m)
      if (parts.length < 2) return []
      return [...(parts[1] ?? '').matchAll(/`(?<code>[a-z-]+\.[a-z-]+)`/g)]
        .map(({ groups }) => groups?.['code'] ?? '')
        .filter((code) => families.has(code.split('.')[0]) && !codes.has(code))
        .map((code) => `${name}: ${code}`)
    })
    expect(unknown).toEqual([])
  })
})
