import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { createTasks } from 'callboard/machines/task'
import { freshPath, openStore } from '../../store/world.ts'
import { ensureBuilt, ROOT } from '../../support/built-package.ts'

const ROUNDS = Number(process.env['CALLBOARD_ROUNDS'] ?? 1_000)

beforeAll(ensureBuilt)

interface Patcher {
  /** The next line it says. */
  said(): Promise<string>
  patch(expectedSeq: number): void
  end(): Promise<{ readonly code: number | null; readonly errors: string }>
}

function startPatcher(path: string, name: string, runId: string): Patcher {
  const child = spawn(process.execPath, ['test/machines/task/patches.child.ts', path, name, runId], { cwd: ROOT })
  onTestFinished(() => void child.kill())
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  return {
    said: async () => String((await lines.next()).value),
    patch: (expectedSeq) => child.stdin.write(`${expectedSeq}\n`),
    end: () =>
      new Promise((resolve) => {
        child.on('close', (code) => resolve({ code, errors }))
        child.stdin.end()
      }),
  }
}

it(`two processes patch one working set: of each sequence number exactly one patch is applied, in ${ROUNDS} rounds`, async () => {
  const path = freshPath()
  const store = await openStore(path)
  const tasks = await createTasks({ store })
  const { run_id } = await tasks.create({ objective: 'be patched' })
  const names = ['ann', 'ben']
  const patchers = names.map((name) => startPatcher(path, name, run_id))
  await Promise.all(patchers.map(({ said }) => said()))
  const wins = names.map(() => 0)
  for (let seq = 0; seq < ROUNDS; seq++) {
    // Who is told first takes turns.
    for (const { patch } of seq % 2 === 0 ? patchers : patchers.toReversed()) patch(seq)
    const said = await Promise.all(patchers.map((patcher) => patcher.said()))
    expect(said.toSorted()).toEqual([`LOCK_ERROR expected_seq=${seq} current_seq=${seq + 1}`, 'applied'])
    const winner = said.indexOf('applied')
    wins[winner] = (wins[winner] ?? 0) + 1
    if (seq % 100 !== 0) continue
    // A third one, who has held the working set since the beginning, sees what the winner wrote.
    expect(await tasks.get(run_id)).toMatchObject({ _update_seq: seq + 1, next_action: `${names[winner]} ${seq}` })
  }
  for (const patcher of patchers) expect(await patcher.end()).toEqual({ code: 0, errors: '' })
  // It was a race.
  for (const count of wins) expect(count).toBeGreaterThan(ROUNDS / 20)
  // One line for the beginning, and one for each patch, applied or refused.
  const events = (await tasks.ledger(run_id)).trimEnd().split('\n')
  expect(events).toHaveLength(1 + 2 * ROUNDS)
  await tasks.close()
  expect((await store.verify()).damage).toEqual([])
}, 300_000)
