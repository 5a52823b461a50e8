// The built package, for tests that run it as its users do. `npm test` builds before; a single file run by hand may not.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** The checkout's root, with a separator at its end. */
export const ROOT = new URL('../../', import.meta.url).pathname

/** Builds `dist` where it is older than its sources. */
export function ensureBuilt(): void {
  const built = join(ROOT, 'dist/index.js')
  const newest = Math.max(newestMtimeMs(join(ROOT, 'src')), newestMtimeMs(join(ROOT, 'machines')))
  if (existsSync(built) && statSync(built).mtimeMs > newest) return
  const { status, stdout, stderr } = spawnSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, encoding: 'utf8' })
  if (status !== 0) throw new Error(`the build failed:\n${stdout}${stderr}`)
}

function newestMtimeMs(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return Math.max(...files.map((file) => statSync(join(folder, file)).mtimeMs))
}
