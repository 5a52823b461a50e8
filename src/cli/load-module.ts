// Loads the machine that a command names, from a module of the user's.
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { AnyStateMachine } from 'xstate'
import { CallboardError } from '../base/index.ts'
import { workflowOf } from '../workflow/index.ts'
import type { Conclude } from './conclude.ts'
import { visibleText } from './visible-text.ts'

/** What is to be loaded. */
export interface ModuleChoice {
  /** As the user wrote it, relative to the current directory. */
  readonly module: string
  /** The name of the export, where there are several. */
  readonly exportName?: string | undefined
  /** The current folder. */
  readonly cwd: string
}

/** What a module says of running its workflow. */
export interface LoadedWorkflow {
  readonly workflow: AnyStateMachine
  readonly conclude: Conclude | undefined
}

/**
 * The workflow a module exports: the one that is asked for, else its default export, else the only one.
 *
 * @throws CallboardError `cli.…` with one line that says what to do
 */
export async function loadWorkflow(choice: ModuleChoice): Promise<LoadedWorkflow> {
  const exports = await importModule(choice)
  const exported = pickMachine(exports, choice)
  const conclude = Object.hasOwn(exports, 'conclude') ? exports['conclude'] : undefined
  if (workflowOf(exported) !== undefined) {
    return { workflow: exported, conclude: typeof conclude === 'function' ? (conclude as Conclude) : undefined }
  }
  throw new CallboardError(
    'cli.not-a-workflow',
    `"${choice.module}" exports the machine "${exported.id}", but it is no workflow of this installation of callboard; ` +
      'make it with defineContext(…).workflow(…).createMachine(…), and run the callboard that its module imports',
    { module: choice.module },
  )
}

/** Every workflow a module exports. @throws CallboardError `cli.…` with one line that says what to do */
export async function loadWorkflows(choice: ModuleChoice): Promise<readonly AnyStateMachine[]> {
  const exports = Object.values(await importModule(choice))
  const workflows = new Set(exports.filter(isMachine).filter((machine) => workflowOf(machine) !== undefined))
  if (workflows.size > 0) return [...workflows]
  throw noWorkflowError(choice.module)
}

/** Everything a module exports, and the workflows among it. @throws CallboardError `cli.…` with one line that says what to do */
export async function loadExports(
  choice: ModuleChoice,
): Promise<{ readonly exports: Readonly<Record<string, unknown>>; readonly workflows: readonly AnyStateMachine[] }> {
  return { exports: await importModule(choice), workflows: await loadWorkflows(choice) }
}

function noWorkflowError(module: string): CallboardError {
  const what = 'export the machine that defineContext(…).workflow(…).createMachine(…) makes'
  return new CallboardError('cli.no-workflow', `"${module}" exports no workflow; ${what}`, { module })
}

/** The same for any XState machine; workflows go first. */
export async function loadMachine(choice: ModuleChoice): Promise<AnyStateMachine> {
  return pickMachine(await importModule(choice), choice)
}

function pickMachine(
  exports: Readonly<Record<string, unknown>>,
  { module, exportName }: ModuleChoice,
): AnyStateMachine {
  if (exportName !== undefined) return pickByName(module, exports, exportName)
  if (isMachine(exports['default'])) return exports['default']
  const found = Object.entries(exports).filter((each): each is [string, AnyStateMachine] => isMachine(each[1]))
  const workflows = found.filter(([, machine]) => workflowOf(machine) !== undefined)
  const candidates = workflows.length > 0 ? workflows : found
  const [first] = candidates
  if (first === undefined) throw noWorkflowError(module)
  if (new Set(candidates.map(([, machine]) => machine)).size > 1) {
    const names = candidates.map(([name]) => name).join(', ')
    const message = `"${module}" exports several workflows; choose one with --export: ${names}`
    throw new CallboardError('cli.several-workflows', message, { module })
  }
  return first[1]
}

function pickByName(module: string, exports: Readonly<Record<string, unknown>>, name: string): AnyStateMachine {
  const picked = Object.hasOwn(exports, name) ? exports[name] : undefined
  if (isMachine(picked)) return picked
  const names = Object.keys(exports).filter((each) => isMachine(exports[each]))
  const known = names.length === 0 ? 'it exports none' : `it exports ${names.join(', ')}`
  throw new CallboardError('cli.no-such-export', `"${module}" exports no workflow "${name}"; ${known}`, {
    module,
    name,
  })
}

/** By its shape: the module may use another copy of XState. */
function isMachine(value: unknown): value is AnyStateMachine {
  if (typeof value !== 'object' || value === null) return false
  const { root, config, provide } = value as {
    readonly root?: unknown
    readonly config?: unknown
    readonly provide?: unknown
  }
  return typeof root === 'object' && typeof config === 'object' && typeof provide === 'function'
}

async function importModule({ module, cwd }: ModuleChoice): Promise<Readonly<Record<string, unknown>>> {
  const path = resolve(cwd, module)
  const found = await stat(path).catch(() => undefined)
  if (found === undefined)
    throw new CallboardError('cli.no-such-module', `there is no file "${module}"; name the module of a workflow`, {
      module,
    })
  if (!found.isFile())
    throw new CallboardError('cli.no-such-module', `"${module}" is no file; name the module of a workflow`, { module })
  try {
    return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>
  } catch (error) {
    throw new CallboardError(
      'cli.module-failed',
      `cannot load "${module}": ${whyNot(error, module)}`,
      { module },
      { cause: error },
    )
  }
}

function whyNot(error: unknown, module: string): string {
  const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown }
  const text = visibleText(typeof message === 'string' ? message : String(error))
  switch (code) {
    case 'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING':
      return 'Node.js does not run TypeScript inside of node_modules; name a compiled module, or one of your own'
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return `${text}; Node.js only strips types: write it without enums, namespaces and parameter properties, or compile it`
    case 'ERR_UNKNOWN_FILE_EXTENSION':
      return 'only .js, .mjs, .cjs, .ts, .mts and .cts modules can be loaded'
    case 'ERR_MODULE_NOT_FOUND':
      return `${text}; correct the import or install the package`
    default:
      return `${text}; see where with: node ${module}`
  }
}
