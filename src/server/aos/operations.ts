import type { Operation } from '../operation.ts'
import { fullOperations } from './full.ts'
import { memoryOperations } from './memory.ts'
import { loadOperation, packOperations } from './packs.ts'
import { readmeOperations } from './readme.ts'

/**
 * Working sets as clients of the AoS Context Module have them: the surface of its README and that of its full API, on one
 * address. What stands first wins: `/runs/boot` and `/runs/resume/load` before `/runs/{run_id}`.
 */
export function aosOperations(): readonly Operation[] {
  return [loadOperation, ...fullOperations, ...readmeOperations, ...memoryOperations, ...packOperations]
}
