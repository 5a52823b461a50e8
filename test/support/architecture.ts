// The rules of DESIGN, section 7, and of the house's style, as pure functions from source text to sentences about what
// breaks them. They read imports and exports as the parser sees them, so that no spelling of one escapes.
import { posix } from 'node:path'
import { parseSync } from 'oxc-parser'

/** One source file; the path is relative to the project, with slashes. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** One import, export-from or dynamic import. */
export interface Import {
  readonly request: string
  /** Erased when compiled: `import type`, or nothing but `type` names. */
  readonly typeOnly: boolean
}

export interface Module {
  readonly path: string
  readonly imports: readonly Import[]
  /** Names given to others, with whether they are types only. */
  readonly exports: readonly { readonly name: string; readonly typeOnly: boolean }[]
  readonly lines: number
  /** Constructs and globals found in the code, in the words of the rules below. */
  readonly found: readonly string[]
}

interface Node {
  readonly type: string
  readonly [field: string]: unknown
}

const GLOBALS = new Set(['setTimeout', 'setInterval', 'setImmediate', 'console'])
const CLOCK_READS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ['Date', new Set(['now'])],
  ['Math', new Set(['random'])],
  ['performance', new Set(['now'])],
  ['process', new Set(['hrtime'])],
  ['globalThis', new Set([...GLOBALS])],
])
const TIMER_MODULES = new Set(['node:timers', 'node:timers/promises', 'timers', 'timers/promises'])

/** @throws Error when the text cannot be parsed */
export function readModule({ path, text }: Source): Module {
  const { module, program, errors } = parseSync(path, text)
  const first = errors[0]
  if (first !== undefined) throw new Error(`${path} cannot be parsed: ${first.message}`)
  const found: string[] = []
  walk(program as unknown as Node, found)
  const imports = module.staticImports.map(({ moduleRequest, entries }) => ({
    request: moduleRequest.value,
    typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
  }))
  const reexports: Import[] = []
  const exports: { name: string; typeOnly: boolean }[] = []
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest, isType, exportName } of entries) {
      if (moduleRequest !== null) reexports.push({ request: moduleRequest.value, typeOnly: isType })
      if (exportName.kind === 'Name' && exportName.name !== null)
        exports.push({ name: exportName.name, typeOnly: isType })
    }
  }
  const dynamic = module.dynamicImports.flatMap(({ moduleRequest: { start, end } }) => {
    const literal = /^(['"`])(.*)\1$/.exec(text.slice(start, end))
    return literal?.[2] === undefined ? [] : [{ request: literal[2], typeOnly: false }]
  })
  const all = [...imports, ...reexports, ...dynamic]
  for (const { request, typeOnly } of all) if (!typeOnly && TIMER_MODULES.has(request)) found.push(request)
  return { path, imports: all, exports, lines: text.trimEnd().split('\n').length, found }
}

/** Notes what the rules are about, wherever in the program it stands. */
function walk(node: Node, found: string[]): void {
  note(node, found)
  for (const [field, child] of Object.entries(node)) {
    if (isName(node, field)) continue
    for (const part of Array.isArray(child) ? (child as unknown[]) : [child])
      if (typeof part === 'object' && part !== null && 'type' in part) walk(part as Node, found)
  }
}

function note(node: Node, found: string[]): void {
  switch (node.type) {
    case 'ExportAllDeclaration':
      found.push('export *')
      break
    case 'ExportDefaultDeclaration':
      found.push('export default')
      break
    case 'TSEnumDeclaration':
      found.push('enum')
      break
    case 'Identifier':
      if (GLOBALS.has(node['name'] as string)) found.push(node['name'] as string)
      break
    case 'NewExpression':
      if (nameOf(node['callee']) === 'Date' && (node['arguments'] as unknown[]).length === 0) found.push('new Date()')
      break
    case 'MemberExpression': {
      const [object, property] = [nameOf(node['object']), propertyOf(node)]
      if (object !== undefined && property !== undefined && CLOCK_READS.get(object)?.has(property) === true)
        found.push(`${object}.${property}`)
      break
    }
    default:
  }
}

/** Whether a field of a node holds a name that refers to nothing: `.name`, `{ name: … }`, `name() {}`, a type's member. */
function isName(node: Node, field: string): boolean {
  if (node['computed'] === true) return false
  return (field === 'property' && node.type === 'MemberExpression') || (field === 'key' && node['shorthand'] !== true)
}

function nameOf(node: unknown): string | undefined {
  const { type, name } = (node ?? {}) as { readonly type?: string; readonly name?: string }
  return type === 'Identifier' ? name : undefined
}

function propertyOf({ computed, property }: Node): string | undefined {
  if (computed !== true) return nameOf(property)
  const { type, value } = property as { readonly type: string; readonly value?: unknown }
  return type === 'Literal' && typeof value === 'string' ? value : undefined
}

/** The project file that a relative import means. */
function targetOf(path: string, request: string): string | undefined {
  return request.startsWith('.') ? posix.normalize(posix.join(posix.dirname(path), request)) : undefined
}

/** `src/store/sqlite/x.ts` is in `store`; `src/index.ts` in none. */
function folderOf(path: string): string | undefined {
  const [top, folder, ...rest] = path.split('/')
  return top === 'src' && rest.length > 0 ? folder : undefined
}

/** Values come from the own folder or one of lower rank; other folders are entered through an `index.ts`. */
export function breaksOfRank(modules: readonly Module[], ranks: Readonly<Record<string, number>>): readonly string[] {
  return modules.flatMap(({ path, imports }) => {
    const own = folderOf(path)
    if (own !== undefined && ranks[own] === undefined) return [`${path}: folder ${own} has no rank; give it one`]
    return imports.flatMap(({ request, typeOnly }) => {
      const target = targetOf(path, request)
      if (target === undefined) return []
      const other = folderOf(target)
      if (other === own) return []
      if (!target.startsWith('src/')) return [`${path} imports ${target}, which is outside of src`]
      if (other === undefined) return [`${path} imports ${target}: nothing in src imports its index`]
      const breaks = target.endsWith('/index.ts') ? [] : [`${path} enters ${other} through ${target}, not its index.ts`]
      const rank = own === undefined ? Number.POSITIVE_INFINITY : (ranks[own] ?? 0)
      if (!typeOnly && (ranks[other] ?? 0) >= rank)
        breaks.push(`${path} (${own}, rank ${rank}) imports values from ${other} (rank ${ranks[other]})`)
      return breaks
    })
  })
}

/** A backend is a leaf: only doors open it. */
export function breaksOfLeaves(modules: readonly Module[], openers: readonly string[]): readonly string[] {
  const backendOf = (path: string): string | undefined => /^src\/store\/([^/]+)\//.exec(path)?.[1]
  return modules.flatMap(({ path, imports }) =>
    imports.flatMap(({ request, typeOnly }) => {
      const target = targetOf(path, request)
      const backend = target === undefined || typeOnly ? undefined : backendOf(target)
      if (backend === undefined || backend === backendOf(path) || openers.includes(folderOf(path) ?? '')) return []
      return [`${path} imports the backend ${backend}; backends are leaves`]
    }),
  )
}

/** `@scope/name/deep` is the package `@scope/name`. */
function packageOf(request: string): string | undefined {
  if (request.startsWith('.') || request.startsWith('node:')) return undefined
  return request
    .split('/')
    .slice(0, request.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Values of a package are imported in its homes only; a package without a home is not imported at all. */
export function breaksOfHomes(
  modules: readonly Module[],
  homes: Readonly<Record<string, readonly string[]>>,
): readonly string[] {
  return modules.flatMap(({ path, imports }) =>
    imports.flatMap(({ request, typeOnly }) => {
      const name = packageOf(request)
      if (name === undefined || typeOnly) return []
      const allowed = homes[name]
      if (allowed === undefined) return [`${path} imports ${name}, which has no home; give it one`]
      return allowed.some((home) => path === home || path.startsWith(`${home}/`))
        ? []
        : [`${path} imports ${name}, whose home is ${allowed.join(', ')}`]
    }),
  )
}

/** Clock, randomness and console stand only where the defaults are made. */
export function breaksOfWorld(
  modules: readonly Module[],
  allowed: Readonly<Record<string, readonly string[]>>,
): readonly string[] {
  const forms = new Set(['export *', 'export default', 'enum'])
  return modules.flatMap(({ path, found }) =>
    found
      .filter((what) => !forms.has(what))
      .filter(
        (what) =>
          !Object.entries(allowed).some(
            ([place, uses]) => (path === place || path.startsWith(`${place}/`)) && uses.includes(what),
          ),
      )
      .map((what) => `${path} uses ${what}`),
  )
}

/** No `export *`, default export or enum. */
export function breaksOfForm(modules: readonly Module[]): readonly string[] {
  return modules.flatMap(({ path, found }) =>
    found.filter((what) => ['export *', 'export default', 'enum'].includes(what)).map((what) => `${path} has ${what}`),
  )
}

/** Files are short, but for those with a reason. */
export function breaksOfLength(
  modules: readonly Module[],
  longest: number,
  reasons: Readonly<Record<string, string>>,
): readonly string[] {
  return modules
    .filter(({ path, lines }) => lines > longest && reasons[path] === undefined)
    .map(({ path, lines }) => `${path} has ${lines} lines; look for the second noun, or say why it is clearer whole`)
}

/** The first users of the package import its public entries, their own files and packages. */
export function breaksOfUsers(modules: readonly Module[]): readonly string[] {
  return modules.flatMap(({ path, imports }) => {
    const [top] = path.split('/')
    return imports.flatMap(({ request }) => {
      const target = targetOf(path, request)
      if (target === undefined || target.startsWith(`${top}/`)) return []
      return [`${path} imports ${target}; only callboard and its subpaths are public`]
    })
  })
}
