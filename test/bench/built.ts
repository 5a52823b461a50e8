/** The address of a folder of the package as it was built, for what is no part of a public entry. */
export function builtModule(folder: string): string {
  return new URL(`../../dist/${folder}/index.js`, import.meta.url).href
}
