// The written pages, as the tests of the documentation read them.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../support/built-package.ts'

export interface Page {
  /** From the root: `docs/waits.md`. */
  readonly path: string
  readonly text: string
}

export interface Snippet {
  readonly code: string
  /** The line of the page its code begins on. */
  readonly line: number
  /** Why it is not checked; undefined for one that is. */
  readonly ignored: string | undefined
}

/** README and every page in docs. */
export function readPages(): readonly Page[] {
  const docs = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .toSorted()
  return ['README.md', ...docs.map((name) => `docs/${name}`)].map((path) => ({
    path,
    text: readFileSync(join(ROOT, path), 'utf8'),
  }))
}

/** The page's TypeScript blocks, in order. */
export function snippetsOf({ text }: Page): readonly Snippet[] {
  const blocks = text.matchAll(/^```ts(?<mark>[^\n]*)\n(?<code>[^]*?)^```$/gm)
  return [...blocks].map(({ index, groups }) => {
    const { mark = '', code = '' } = groups ?? {}
    const ignored = /^ ignore\b *(?<reason>.*)$/.exec(mark)?.groups?.['reason']
    return { code, line: text.slice(0, index).split('\n').length + 1, ignored }
  })
}

/** All of a page's checked blocks as one module: what an earlier block declares, a later one may use. */
export function moduleOf(page: Page): string {
  const blocks = snippetsOf(page).filter(({ ignored }) => ignored === undefined)
  const lines: string[] = []
  for (const { code, line } of blocks) {
    // Errors then carry the line of the page.
    while (lines.length < line - 1) lines.push('')
    lines.push(...code.trimEnd().split('\n'))
  }
  return `${lines.join('\n')}\nexport {}\n`
}

/** The anchors of a page's headings, as they are made on code hosts. */
export function anchorsOf({ text }: Page): ReadonlySet<string> {
  const withoutCode = text.replaceAll(/^```[^]*?^```$/gm, '')
  const headings = [...withoutCode.matchAll(/^#+ (?<title>.+)$/gm)].map(({ groups }) => groups?.['title'] ?? '')
  return new Set(
    headings.map((title) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}
