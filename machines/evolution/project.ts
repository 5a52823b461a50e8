import { readFile, readdir } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { isJsonObject, jsonAt, parseJsonc } from './jsonc.ts'
import type { Json } from './jsonc.ts'

/** The settings of a project, as far as measuring and editing depend on them. */
export interface Project {
  readonly root: string
  /** The files and folders at the root, sorted. */
  readonly entries: readonly string[]
  readonly packageJson: Json | undefined
  /** The tsconfig, relative to the root, when there is one that can be read. */
  readonly tsconfigFile: string | undefined
  /** Its compiler options, with those of the configurations it extends below them. */
  readonly compilerOptions: ReadonlyMap<string, Json>
}

/** Reads package.json and tsconfig.json; what is absent or broken is simply not there. */
export async function readProject(root: string): Promise<Project> {
  const entries = (await readdir(root).catch((): string[] => [])).sort()
  const packageJson = await readJson(join(root, 'package.json'))
  const tsconfigFile = ['tsconfig.json', 'jsconfig.json'].find((file) => entries.includes(file))
  const compilerOptions = tsconfigFile ? await readOptions(join(root, tsconfigFile), 0) : new Map<string, Json>()
  return { root, entries, packageJson, tsconfigFile, compilerOptions }
}

/**
 * Whether the compiler drops imports that nothing uses, so that the imported module is not loaded for them. Programs that
 * only have their types stripped (Node, `verbatimModuleSyntax`) load every module they name.
 */
export function elidesImports({ tsconfigFile, compilerOptions }: Project): boolean {
  if (tsconfigFile === undefined) return false
  const keeps = ['verbatimModuleSyntax', 'preserveValueImports', 'erasableSyntaxOnly', 'allowImportingTsExtensions']
  return keeps.every((option) => compilerOptions.get(option) !== true) && !compilerOptions.has('importsNotUsedAsValues')
}

/** Whether the package says that loading its modules has no effect. */
export function isSideEffectFree({ packageJson }: Project): boolean {
  return jsonAt(packageJson, 'sideEffects') === false
}

/** The files of the package that others import, relative to the root, without their extension; guessed from package.json. */
export function entryFiles({ packageJson }: Project): ReadonlySet<string> {
  const found = new Set<string>()
  const collect = (value: Json | undefined): void => {
    if (typeof value === 'string') found.add(value.replace(/^\.\//, '').replace(/(\.d)?\.[cm]?[jt]sx?$/, ''))
    else if (Array.isArray(value)) for (const item of value) collect(item)
    else if (isJsonObject(value)) for (const item of Object.values(value)) collect(item)
  }
  for (const key of ['main', 'module', 'types', 'typings', 'browser', 'bin', 'exports'])
    collect(jsonAt(packageJson, key))
  return found
}

/** Configurations may extend each other; a circle ends here. */
const MAX_EXTENDS = 8

async function readOptions(file: string, depth: number): Promise<ReadonlyMap<string, Json>> {
  const config = await readJson(file)
  const options = jsonAt(config, 'compilerOptions')
  const parents = depth < MAX_EXTENDS ? [jsonAt(config, 'extends') ?? []].flat() : []
  const merged = new Map<string, Json>()
  for (const parent of parents) {
    if (typeof parent !== 'string') continue
    const path = await findConfig(dirname(file), parent)
    if (path !== undefined) for (const [key, value] of await readOptions(path, depth + 1)) merged.set(key, value)
  }
  if (isJsonObject(options)) for (const [key, value] of Object.entries(options)) merged.set(key, value)
  return merged
}

async function findConfig(folder: string, name: string): Promise<string | undefined> {
  const bases = name.startsWith('.') || name.startsWith('/') ? [resolve(folder, name)] : packageFolders(folder, name)
  for (const base of bases) {
    for (const path of [base, `${base}.json`, join(base, 'tsconfig.json')]) {
      if ((await readJson(path)) !== undefined) return path
    }
  }
  return undefined
}

function packageFolders(folder: string, name: string): string[] {
  const parts = relative('/', folder).split(sep)
  return parts.map((_, index) => join('/', ...parts.slice(0, parts.length - index), 'node_modules', name))
}

async function readJson(path: string): Promise<Json | undefined> {
  const content = await readFile(path, 'utf8').catch(() => undefined)
  return content === undefined ? undefined : parseJsonc(content)
}
