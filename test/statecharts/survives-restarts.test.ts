// Every chart is driven three ways: as a plain XState machine, as a run that never stops, and as a run whose process goes
// away after every single event. All three have to look the same after every step.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { createVolatileStore } from 'callboard'
import { freshPath } from '../store/world.ts'
import { ensureBuilt, ROOT } from '../support/built-package.ts'
import { charts } from './all-charts.ts'
import { stepsOf, trace } from './chart.ts'
import type { Chart } from './chart.ts'
import { drivePlain, driveRun } from './drive.ts'
import type { Driven } from './drive.ts'
import { showText } from './show.ts'

/** What a chart looks like at its beginning and after every step. */
async function looksOf(chart: Chart, driven: Driven): Promise<readonly string[]> {
  const looks = [driven.look()]
  for (const step of stepsOf(chart)) {
    await driven.step(step)
    looks.push(driven.look())
  }
  await driven.close()
  trace.length = 0
  return looks
}

function runProcess(database: string, index: number): Promise<Record<string, readonly [string, string]>> {
  const program = fileURLToPath(new URL('step.child.ts', import.meta.url))
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, database, String(index)], { cwd: ROOT })
    let out = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.on('close', () => {
      if (errors === '') resolve(JSON.parse(out) as never)
      else reject(new Error(`process ${index} says:\n${errors}`))
    })
  })
}

/** The looks of every chart before and after each step, each step in a process of its own. */
async function looksOfProcesses(): Promise<readonly Record<string, readonly [string, string]>[]> {
  const database = freshPath()
  const last = Math.max(...charts.map(({ script }) => script.length))
  const looks: Record<string, readonly [string, string]>[] = []
  for (let index = 0; index <= last; index++) looks.push(await runProcess(database, index))
  return looks
}

beforeAll(ensureBuilt)

it('a run of a chart does what XState alone does with it', async () => {
  // XState warns of what the charts do on purpose: a look is enough.
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  for (const chart of charts) {
    const plain = await looksOf(chart, await drivePlain(chart))
    const run = await looksOf(chart, await driveRun(chart, createVolatileStore()))
    expect.soft(run, chart.name).toEqual(plain)
  }
})

describe('restored in a fresh process after every single event', () => {
  it('every chart is where it was, and goes on as if it had never stopped', async () => {
    expect(new Set(charts.map(({ name }) => name)).size).toBe(charts.length)
    expect(charts.length).toBeGreaterThanOrEqual(50)
    const processes = await looksOfProcesses()
    for (const chart of charts) {
      const straight = await looksOf(chart, await driveRun(chart, createVolatileStore()))
      for (const [index, look] of straight.entries()) {
        const [before, after] = processes[index]?.[chart.name] ?? []
        expect.soft(after, `${chart.name}, step ${index}`).toBe(look)
        if (index === 0) continue
        expect.soft(before, `${chart.name}, restored before step ${index}`).toBe(withNothingDone(straight[index - 1]))
      }
    }
  })
})

/** What was done is not done again by the process that finds it done. */
function withNothingDone(look = '{}'): string {
  return showText({ ...(JSON.parse(look) as object), done: [] })
}
