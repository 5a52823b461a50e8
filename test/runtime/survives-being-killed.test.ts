import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import { ensureBuilt, ROOT } from '../support/built-package.ts'

const WORKERS = 3
const ROUNDS = 12
const KILLS = Number(process.env['CALLBOARD_KILLS'] ?? 12)

beforeAll(ensureBuilt)

/** Runs the child; kills it after so many acknowledged updates. Gives the lines it wrote. */
function runChild(
  folder: string,
  killAfter: number,
): Promise<{ readonly lines: readonly string[]; readonly errors: string }> {
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      ['test/runtime/killed.child.ts', join(folder, 'run.db'), join(folder, 'effects')],
      {
        cwd: ROOT,
      },
    )
    let out = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
      if (out.split('\n').length > killAfter) child.kill('SIGKILL')
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.on('close', () => resolve({ lines: out.split('\n').slice(0, -1), errors }))
  })
}

it('a run whose process is killed again and again finishes: nothing acknowledged is lost or applied twice, no finished step is executed again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-killed-'))
  try {
    const acknowledged = new Set<string>()
    let result: string | undefined
    for (let kill = 0; kill <= KILLS && result === undefined; kill++) {
      const { lines, errors } = await runChild(folder, kill < KILLS ? 1 + (kill % 3) : Number.POSITIVE_INFINITY)
      expect(errors).toBe('')
      for (const line of lines) {
        if (line.startsWith('result ')) result = line
        else {
          // Acknowledged twice would be applied twice.
          expect(acknowledged).not.toContain(line)
          acknowledged.add(line)
        }
      }
    }
    expect(result).toBe(`result ${WORKERS * ROUNDS}`)
    const effects = readFileSync(join(folder, 'effects'), 'utf8').trim().split('\n')
    // A step that was executing when the process was killed may have been executed once more, with the same key.
    expect(new Set(effects).size).toBe(WORKERS * ROUNDS)
    expect(effects.length).toBeLessThanOrEqual(WORKERS * ROUNDS + WORKERS * KILLS)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 120_000)
