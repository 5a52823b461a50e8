import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { isLocked, lockFile } from 'callboard/sqlite'
import { ensureBuilt, ROOT } from '../support/built-package.ts'

beforeAll(ensureBuilt)

function makeLockPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-lock-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'locks', 'a.lock')
}

/** A process that takes the lock and says whether it got it; it ends when it is killed. */
async function startHolder(path: string): Promise<{ readonly hasLock: boolean; kill(): Promise<void> }> {
  const script = `
    import { lockFile } from ${JSON.stringify(join(ROOT, 'dist/store/sqlite/index.js'))}
    const hasLock = lockFile(${JSON.stringify(path)}) !== undefined
    // Nobody keeps the lock, and memory is tidied up.
    gc()
    console.log(hasLock)
    setInterval(() => gc(), 50)`
  const child = spawn(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const said = await new Promise<string>((resolve) => child.stdout.setEncoding('utf8').on('data', resolve))
  return {
    hasLock: said.trim() === 'true',
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

it('one of several holds it, in this process too', () => {
  const path = makeLockPath()
  expect(isLocked(path)).toBe(false)
  const lock = lockFile(path)
  expect(lock).toBeDefined()
  expect(lockFile(path)).toBeUndefined()
  expect(isLocked(path)).toBe(true)
  lock?.release()
  lock?.release()
  expect(existsSync(path)).toBe(false)
  using again = lockFile(path)
  expect(again).toBeDefined()
})

it('another process has it until it is killed; what it leaves behind hinders nobody', async () => {
  const path = makeLockPath()
  const holder = await startHolder(path)
  onTestFinished(() => holder.kill())
  expect(holder.hasLock).toBe(true)
  expect(isLocked(path)).toBe(true)
  expect(lockFile(path)).toBeUndefined()
  const second = await startHolder(path)
  await second.kill()
  expect(second.hasLock).toBe(false)
  await holder.kill()
  expect(existsSync(path)).toBe(true)
  expect(isLocked(path)).toBe(false)
  using lock = lockFile(path)
  expect(lock).toBeDefined()
})

it('a file that somebody else has put there is an error, not a lock', () => {
  const path = makeLockPath()
  lockFile(path)?.release()
  writeFileSync(path, 'not a database, and longer than a header of SQLite'.repeat(10))
  expect(() => lockFile(path)).toThrow(expect.objectContaining({ code: 'store.damaged' }))
})
