import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { chartFromScxml } from './scxml.ts'
import type { ScxmlChart, ScxmlScript } from './scxml.ts'

const FOLDER = new URL('../fixtures/scion-scxml/', import.meta.url).pathname

/** The published SCXML tests, by name. */
export const scxmlCharts: readonly ScxmlChart[] = globSync('*/*.scxml', { cwd: FOLDER })
  .sort()
  .map((file) => {
    const path = join(FOLDER, file)
    const script = JSON.parse(readFileSync(path.replace(/\.scxml$/, '.json'), 'utf8')) as ScxmlScript
    return chartFromScxml(file.replace(/\.scxml$/, ''), readFileSync(path, 'utf8'), script)
  })
