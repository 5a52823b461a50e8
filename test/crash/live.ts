// One life of a child process that is killed sooner or later, and what it said until then.
import { spawn } from 'node:child_process'
import { ROOT } from '../support/built-package.ts'

/** What a life of the child said before it ended, and whether it was killed. */
export interface Life {
  readonly lines: readonly string[]
  readonly errors: string
  readonly killed: boolean
}

/** How a life ends: at the count-th passing of a fault point, or when it has said so many lines. */
export type Death = { readonly fault: string } | { readonly afterLines: number } | undefined

/** @param command a script of this folder and what it is given */
export function live(command: readonly string[], death: Death, bug?: string): Promise<Life> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...command], {
      cwd: ROOT,
      env: {
        ...process.env,
        ...(death !== undefined && 'fault' in death ? { CALLBOARD_FAULT: death.fault } : {}),
        ...(bug === undefined ? {} : { CALLBOARD_BUG: bug }),
      },
    })
    let out = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
      if (death !== undefined && 'afterLines' in death && out.split('\n').length > death.afterLines)
        child.kill('SIGKILL')
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.on('close', (_code, signal) => {
      // A line that was cut off was not said.
      resolve({ lines: out.split('\n').slice(0, -1), errors, killed: signal === 'SIGKILL' })
    })
  })
}

/** Numbers that look random and are the same each time (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
