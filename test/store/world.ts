// What the tests of the SQLite store share: files of their own, and real processes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openSqlite } from 'callboard/sqlite'
import type { SqliteOptions, SqliteStore } from 'callboard/sqlite'
import { onTestFinished } from 'vitest'

/** A folder that goes with the test. */
export function freshFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'callboard-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export function freshPath(): string {
  return join(freshFolder(), 'runs.db')
}

/** A store that is closed with the test. */
export async function openStore(path: string, options: SqliteOptions = {}): Promise<SqliteStore> {
  const store = await openSqlite(path, { durability: 'process', ...options })
  onTestFinished(() => store.close())
  return store
}

/** A process that runs a program of this folder. */
export interface Child {
  /** Lines it has written so far. */
  readonly lines: readonly string[]
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
  kill(): void
  /** Lets it go on: children wait for a line. */
  go(): void
  /** Resolves when it has written so many lines or has ended. */
  wrote(count: number): Promise<void>
}

export function runChild(
  program: string,
  args: readonly string[],
  {
    env = {},
    before = [],
  }: { readonly env?: Readonly<Record<string, string>>; readonly before?: readonly string[] } = {},
): Child {
  const file = fileURLToPath(new URL(program, import.meta.url))
  const [command, ...rest] = [...before, process.execPath, file, ...args] as [string, ...string[]]
  const child = spawn(command, rest, { env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'inherit'] })
  const lines: string[] = []
  const wakers = new Set<() => void>()
  let unfinished = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (unfinished + text).split('\n')
    unfinished = parts.pop() ?? ''
    lines.push(...parts)
    for (const wake of wakers) wake()
  })
  child.stdin.on('error', () => {})
  const ended = once(child, 'close').then(([code, signal]) => {
    for (const wake of wakers) wake()
    return (signal ?? code) as number | string
  })
  let isOver = false
  void ended.then(() => {
    isOver = true
  })
  return {
    lines,
    ended,
    kill: () => void child.kill('SIGKILL'),
    go: () => void child.stdin.write('go\n'),
    wrote: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (lines.length < count && !isOver && child.exitCode === null && child.signalCode === null) return
          wakers.delete(look)
          resolve()
        }
        wakers.add(look)
        look()
      }),
  }
}
