import type { PackForm } from '../pack/index.ts'

/** The workflows of ours whose packs have files of their own, by name and version, and the module that makes them. */
const FORMS: Readonly<Record<string, string>> = { 'task 2.1': 'callboard/machines/task' }

/** What the packs of a workflow's runs have beside their ledgers; undefined for nothing. */
export async function packFormOf(workflow: string, version: string): Promise<PackForm | undefined> {
  const name = `${workflow} ${version}`
  const module = Object.hasOwn(FORMS, name) ? FORMS[name] : undefined
  if (module === undefined) return undefined
  const { taskPackForm } = (await import(module)) as { readonly taskPackForm: PackForm }
  return taskPackForm
}
