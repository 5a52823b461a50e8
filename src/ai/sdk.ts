// The AI SDK is loaded when a model is first called: who imports `callboard/ai` without it is told what to install.
import type * as AiSdk from 'ai'
import { CallboardError, importPackage } from '../base/index.ts'
import type { ImportPackage } from '../base/index.ts'

export type Sdk = typeof AiSdk

/**
 * Loads the AI SDK.
 * @throws CallboardError `ai.package-missing`
 */
export async function loadSdk(load: ImportPackage = importPackage): Promise<Sdk> {
  return (await loadPackage('ai', { install: 'ai@7', load })) as Sdk
}

/**
 * Loads an optional package.
 * @throws CallboardError `ai.package-missing` with the line that installs it
 */
export async function loadPackage(
  name: string,
  {
    install = name,
    load = importPackage,
  }: { readonly install?: string; readonly load?: ImportPackage | undefined } = {},
): Promise<unknown> {
  try {
    return await load(name)
  } catch (cause) {
    throw new CallboardError(
      'ai.package-missing',
      `the package "${name}" could not be loaded; install it with: npm i ${install}`,
      { package: name, install: `npm i ${install}` },
      { cause },
    )
  }
}
