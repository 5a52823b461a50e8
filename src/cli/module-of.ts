import { CallboardError } from '../base/index.ts'
import type { Labels } from '../store/index.ts'
import type { ModuleChoice } from './load-module.ts'

/**
 * The module of a run's workflow: the one that is named, or the one that the run remembers.
 *
 * @throws CallboardError `cli.no-module`
 */
export function moduleOf(
  runId: string,
  labels: Labels | undefined,
  { module, export: exportName }: { readonly module?: string | undefined; readonly export?: string | undefined },
  { cwd }: { readonly cwd: string },
): ModuleChoice {
  if (module !== undefined) return { module, exportName, cwd }
  const remembered = labels?.['module']
  if (remembered !== undefined) return { module: remembered, exportName: exportName ?? labels?.['export'], cwd }
  throw new CallboardError(
    'cli.no-module',
    `run ${runId} was not started from the command line; name the module of its workflow`,
    { runId },
  )
}
