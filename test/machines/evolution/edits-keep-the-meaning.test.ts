import { describe, expect, it } from 'vitest'
import { evolve, evolveFile, makeProject } from './world.ts'

describe('documentation', () => {
  it('says what names and signatures say', async () => {
    const text = await evolveFile(
      'a.ts',
      `export function readSettings(path: string, size = 10): Settings { if (!path) throw new RangeError('no path'); return null! }
export const isValid = (value: unknown): value is string => typeof value === 'string'
export class FileStore extends Store implements Closable { read(): void {} close(): void {} #secret = 1 }
export interface ReadOptions { encoding: string; signal?: AbortSignal }
export type Level = 'low' | 'high'
export enum Colour { Red, Green }
export type Handler = (line: string) => void
`,
    )
    expect(text).toContain(`/**
 * Reads the settings.
 *
 * @param path - string
 * @param size - 10 by default
 * @returns Settings
 * @throws RangeError: no path
 */
export function readSettings`)
    expect(text).toContain('/**\n * Tells whether `value` is valid.\n')
    expect(text).toContain('/** A file store with read and close; extends Store; implements Closable. */\nexport class')
    expect(text).toContain('/** Read options with encoding and signal. */\nexport interface')
    expect(text).toContain("/** One of 'low' or 'high'. */\nexport type Level")
    expect(text).toContain('/** One of Red or Green. */\nexport enum')
    expect(text).toContain('/** A function that takes line and gives void. */\nexport type Handler')
  })

  it('leaves to people what would only repeat the name', async () => {
    const content =
      'export function run() {}\nexport class Lexer {}\nexport type Alias = Other\nexport const LIMIT = 5\n'
    const { plan, implementation } = await evolve(makeProject({ 'a.js': content.replace(/.*Alias.*\n/, '') }))
    expect(implementation.totalChanges).toBe(0)
    expect(plan.tasks).toMatchObject([{ kind: 'add_docstrings', automatic: false, targets: ['run', 'Lexer'] }])
  })

  it('keeps comments that give orders next to what they are about', async () => {
    const text = await evolveFile(
      'a.ts',
      '// about\n// @ts-expect-error: wrong\nexport function readAll(path: string): Wrong {}\n',
    )
    expect(text).toMatch(/^\/\/ about\n\/\*\*\n[^]*?\*\/\n\/\/ @ts-expect-error: wrong\nexport function/)
  })

  it('writes as the project does', async () => {
    const other =
      '/**\n * Does it.\n * @param a the first\n * @param b the second\n */\nexport function doIt(a: string, b: string): void {}\n'
    const text = await evolveFile('src/a.ts', '\texport function readAll(path: string): void {}\n', {
      'src/b.ts': other,
    })
    expect(text).toBe(
      '\t/**\n\t * Reads all.\n\t * @param path string\n\t */\n\texport function readAll(path: string): void {}\n',
    )
  })

  it('documents the first of several signatures', async () => {
    const text = await evolveFile(
      'a.ts',
      'export function readAll(a: string): string\nexport function readAll(a: number): number\nexport function readAll(a: any): any { return a }\n',
    )
    expect(text.match(/\/\*\*/g)).toHaveLength(1)
    expect(text.startsWith('/**')).toBe(true)
  })
})

describe('unused imports', () => {
  const inert = { 'b.ts': 'export const b = 1, c = 2\nexport type T = 1\nexport default b\n' }
  const rest = "console.log('kept')\nexport {}\n"

  it.each([
    ["import { b, c } from './b.ts'\nc()\n", "import { c } from './b.ts'\nc()\n"],
    ["import { b, c } from './b.ts'\nb()\n", "import { b } from './b.ts'\nb()\n"],
    ["import x, { b } from './b.ts'\nx()\n", "import x from './b.ts'\nx()\n"],
    ["import x, { b } from './b.ts'\nb()\n", "import { b } from './b.ts'\nb()\n"],
    ["import x, * as y from './b.ts'\ny()\n", "import * as y from './b.ts'\ny()\n"],
    ["import x, * as y from './b.ts'\nx()\n", "import x from './b.ts'\nx()\n"],
    ["import {\n  b,\n  type T,\n  c,\n} from './b.ts'\nc()\n", "import {\n  c,\n} from './b.ts'\nc()\n"],
    ["import { b as B, c as C } from './b.ts'\nB()\n", "import { b as B } from './b.ts'\nB()\n"],
    ["import type { T } from './b.ts'\n", ''],
    ["import { b } from './b.ts'\n", ''],
    ["import { join } from 'node:path'\n\n", ''],
    ["import './b.ts'\n", "import './b.ts'\n"],
    ["import x from 'package'\n", "import x from 'package'\n"],
    ["import { b } from './b.ts' // for later\n", "import { b } from './b.ts' // for later\n"],
    ["import { b /* why */, c } from './b.ts'\nc()\n", "import { b /* why */, c } from './b.ts'\nc()\n"],
    ["// @ts-expect-error\nimport { b } from './b.ts'\n", "// @ts-expect-error\nimport { b } from './b.ts'\n"],
  ])('%j becomes %j', async (before, after) => {
    expect(await evolveFile('a.ts', before + rest, inert)).toBe(after + rest)
  })

  it('keeps an import that loads a module with effects, directly or further on', async () => {
    const effects = { 'b.js': "import './c.js'\nexport const b = 1\n", 'c.js': 'globalThis.loaded = true\n' }
    const content = "import { b } from './b.js'\nexport {}\n"
    expect(await evolveFile('a.js', content, effects)).toBe(content)
    expect(await evolveFile('a.js', content, { ...effects, 'package.json': '{"sideEffects":false}' })).toBe(
      'export {}\n',
    )
  })

  it('takes it out where the compiler does so anyway', async () => {
    const content = "import x from 'package'\nexport {}\n"
    expect(await evolveFile('a.ts', content, { 'tsconfig.json': '{}' })).toBe('export {}\n')
  })

  it('does not turn a module into a script', async () => {
    const content = "import { join } from 'node:path'\nconst local = 1\n"
    expect(await evolveFile('a.ts', content)).toBe(content)
  })
})

describe('types', () => {
  const typed = async (declaration: string) => (await evolveFile('a.ts', `${declaration}\n`)).split('\n').at(-2)

  it.each([
    ['export function a() { b() }', 'export function a(): void { b() }'],
    ['export async function a() { if (b) return }', 'export async function a(): Promise<void> { if (b) return }'],
    ['export const a = () => { b = 1 }', 'export const a = (): void => { b = 1 }'],
    ['export const a = (b: string) => `x${b}`', 'export const a = (b: string): string => `x${b}`'],
    ['export function a(b: number) { return b * 2 }', 'export function a(b: number): number { return b * 2 }'],
    ['export default function () { b() }', 'export default function (): void { b() }'],
    ['export function a() { return x === y }', 'export function a(): boolean { return x === y }'],
  ])('%s', async (before, after) => {
    expect(await typed(before)).toBe(after)
  })

  it.each([
    'export function* a() {}',
    'export const a = () => { throw new Error() }',
    'export const a = () => { process.exit(1) }',
    'export const a = (b: unknown) => typeof b === "string"',
    'export function a(b: bigint) { return b * b }',
    'export function a(b: boolean) { if (b) return "x"; return "y" }',
    'export function a(b: boolean) { if (b) return `x` }',
    'export const a: () => unknown = () => { b = 1 }',
    'export function a(/* none */) { b() }',
    'export const a = b => { c = 1 }',
    'function Promise() {}; export async function a() {}',
  ])('leaves %s to inference', async (declaration) => {
    expect(await typed(declaration)).toBe(declaration)
  })

  it('catches unknown where the error is only passed on', async () => {
    const safe = 'try { a() } catch (e: any) { console.log(e, `${e}`); throw new Error("x", { cause: e }) }\n'
    const unsafe = 'try { a() } catch (e: any) { log(e) }\ntry { a() } catch (e: any) { throw e.message }\n'
    expect(await evolveFile('a.ts', safe + unsafe)).toBe(safe.replace('any', 'unknown') + unsafe)
  })
})

describe('else after return', () => {
  it('takes the block out, with its comments, level by level', async () => {
    const text = await evolveFile(
      'a.js',
      `function f(a) {
  if (a > 2) {
    return 1
  } else {
    // why
    const text = \`one
      two\`
    if (a > 1) {
      throw text
    } else {
      return 3
    }
  }
}
`,
    )
    expect(text).toBe(`function f(a) {
  if (a > 2) {
    return 1
  }
  // why
  const text = \`one
      two\`
  if (a > 1) {
    throw text
  }
  return 3
}
`)
  })

  it.each([
    [
      'a name that the function uses elsewhere',
      'const b = 1\n  if (a) {\n    return 1\n  } else {\n    const b = 2\n    c(b)\n  }\n  return b',
    ],
    ['a parameter of the same name', 'if (b) {\n    return 1\n  } else {\n    const a = 2\n    c(a)\n  }'],
    ['a function in the block', 'if (a) {\n    return 1\n  } else {\n    function g() {}\n    g()\n  }'],
    ['a resource of the block', 'if (a) {\n    return 1\n  } else {\n    using r = b()\n    c(r)\n  }\n  d()'],
    ['a chain of else if', 'if (a) {\n    b()\n  } else if (c) {\n    return 1\n  } else {\n    return 2\n  }'],
    ['a block that does not leave', 'if (a) {\n    b()\n  } else {\n    return 2\n  }'],
    ['comments around else', 'if (a) {\n    return 1\n  } /* or */ else {\n    return 2\n  }'],
    ['a missing semicolon that would join lines', 'if (a) {\n    return 1\n  } else {\n    b = c\n  }\n  ;[d] = e'],
  ])('leaves %s alone', async (_, body) => {
    const content = `function f(a) {\n  ${body}\n}\n`
    expect(await evolveFile('a.js', content)).toBe(content)
  })
})

it('leaves tests alone, since they judge the change', async () => {
  const content = "import { join } from 'node:path'\nexport function readAll(path: string) { path() }\n"
  expect(await evolveFile('test/a.test.ts', content, { 'a.ts': '' })).toBe(content)
})

it('keeps byte-order mark, shebang and CRLF', async () => {
  const content =
    '\uFEFF#!/usr/bin/env node\r\nimport { join } from "node:path"\r\nexport function readAll(path: string) {\r\n  path()\r\n}\r\n'
  expect(await evolveFile('a.ts', content)).toBe(
    '\uFEFF#!/usr/bin/env node\r\n/**\r\n * Reads all.\r\n *\r\n * @param path - string\r\n */\r\n' +
      'export function readAll(path: string): void {\r\n  path()\r\n}\r\n',
  )
})
