// Door: evolutions as a server shows them: `callboard serve machines/evolution.ts` opens it.
import { isCallboardError } from 'callboard'
import type { Run, Runtime } from 'callboard'
import type { EvolutionsDoor } from 'callboard/server'
import { compareEvolution } from './compare.ts'
import { readEvolution } from './export.ts'
import { summariseEvolutions } from './summary.ts'

/** What a runtime knows of evolutions. */
export function evolutionsOf(runtime: Runtime): EvolutionsDoor {
  const known = async <Result>(evolutionId: string, read: (run: Run) => Result): Promise<Result | undefined> => {
    const run = await open(runtime, evolutionId)
    return run === undefined ? undefined : read(run)
  }
  return {
    details: (evolutionId) => known(evolutionId, readEvolution),
    comparison: (evolutionId) => known(evolutionId, compareEvolution),
    list: () => summariseEvolutions(runtime),
    current: async () => (await summariseEvolutions(runtime)).at(-1)?.evolutionId,
    delete: async (evolutionId) => {
      const run = await open(runtime, evolutionId)
      if (run === undefined) return false
      await run.stop('its evolution was deleted')
      return runtime.remove(evolutionId)
    },
  }
}

/** A run of another workflow is no evolution, whatever its id. */
async function open(runtime: Runtime, evolutionId: string): Promise<Run | undefined> {
  try {
    const run = await runtime.open(evolutionId)
    return run.workflow === 'evolution' ? run : undefined
  } catch (error) {
    if (isCallboardError(error, 'run.unknown')) return undefined
    throw error
  }
}
