// Import package: for packages that users install themselves. Callboard may lie elsewhere (`npx`, a global installation, a
// folder above): what is not found from it is looked for from the folder that the user works in.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { resolve } from 'import-meta-resolve'

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
    const found = code === 'ERR_MODULE_NOT_FOUND' ? locate(name, folder) : undefined
    if (found === undefined) throw error
    return import(found)
  }
}

/** The address of the file that a package is entered by; undefined where it is not there. */
function locate(name: string, folder: string): string | undefined {
  try {
    return resolve(name, pathToFileURL(join(folder, 'package.json')).href)
  } catch {
    return undefined
  }
}
