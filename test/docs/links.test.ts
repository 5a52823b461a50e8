import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from '../support/built-package.ts'
import { anchorsOf, readPages } from './pages.ts'

interface Link {
  readonly from: string
  readonly target: string
}

const pages = readPages()
const links: readonly Link[] = pages.flatMap(({ path, text }) =>
  [...text.replaceAll(/^```[^]*?^```$/gm, '').matchAll(/\]\((?<target>[^)\s]+)\)/g)].map(({ groups }) => ({
    from: path,
    target: groups?.['target'] ?? '',
  })),
)

/** The page or file a link leads to, from the root. */
const fileOf = ({ from, target }: Link): string => {
  const [file = ''] = target.split('#')
  return file === '' ? from : normalize(join(dirname(from), file))
}

it('links between pages lead to files that exist', () => {
  const inside = links.filter(({ target }) => !/^[a-z]+:/.test(target))
  expect(inside.length).toBeGreaterThan(20)
  expect(inside.filter((link) => !existsSync(join(ROOT, fileOf(link))))).toEqual([])
})

it('links to a part of a page lead to a heading that exists', () => {
  const anchored = links.filter(({ target }) => target.includes('#') && !/^[a-z]+:/.test(target))
  const broken = anchored.filter((link) => {
    const page = pages.find(({ path }) => path === fileOf(link))
    return page === undefined || !anchorsOf(page).has(link.target.split('#')[1] ?? '')
  })
  expect(broken).toEqual([])
})

it('every page in docs is linked from the README', () => {
  const fromReadme = new Set(links.filter(({ from }) => from === 'README.md').map(fileOf))
  expect(pages.map(({ path }) => path).filter((path) => path !== 'README.md' && !fromReadme.has(path))).toEqual([])
})
