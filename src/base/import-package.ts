// Import package: for packages that users install themselves. Callboard may lie elsewhere (`npx`, a global installation, a
// folder above): what is not found from it is looked for from the folder that the user works in.
import { readFileSync } from 'node:fs'
import { createRequire, findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Loads a package, or a part of one, by its name. */
export type ImportPackage = (name: string) => Promise<unknown>

/**
 * Imports a package from where Callboard is, or else from a folder.
 *
 * @param folder that of the process unless given
 * @throws what `import()` throws where the package is in neither place, or fails
 */
export async function importPackage(name: string, folder: string = process.cwd()): Promise<unknown> {
  try {
    return await import(name)
  } catch (error) {
    const { code } = (error ?? {}) as { readonly code?: unknown }
    const found = code === 'ERR_MODULE_NOT_FOUND' ? locate(name, join(folder, 'package.json')) : undefined
    if (found === undefined) throw error
    return import(pathToFileURL(found).href)
  }
}

/** The file that a package is entered by, for an importer in a folder; undefined where it is not there. */
function locate(name: string, importer: string): string | undefined {
  try {
    return locateModule(name, importer) ?? createRequire(importer).resolve(name)
  } catch {
    return undefined
  }
}

/** By what `exports` says for `import`, which `require.resolve` does not look at. */
function locateModule(name: string, importer: string): string | undefined {
  const manifest = findPackageJSON(name, pathToFileURL(importer))
  if (manifest === undefined) return undefined
  const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { readonly exports?: unknown }
  const [, rest = ''] = /^(?:@[^/]+\/)?[^/]+(\/.*)?$/.exec(name) ?? []
  const isMap = isConditions(exports) && Object.keys(exports).some((key) => key.startsWith('.'))
  const target = targetOf(isMap ? exports[`.${rest}`] : rest === '' ? exports : undefined)
  return target === undefined ? undefined : join(dirname(manifest), target)
}

const CONDITIONS: ReadonlySet<string> = new Set(['node', 'import', 'module-sync', 'default'])

function targetOf(target: unknown): string | undefined {
  if (typeof target === 'string') return target
  if (!isConditions(target)) return undefined
  for (const [condition, inner] of Object.entries(target)) {
    const found = CONDITIONS.has(condition) ? targetOf(inner) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

function isConditions(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
