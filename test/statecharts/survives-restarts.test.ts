// Every chart is driven three ways: as a plain XState machine, as a run that never stops, and as a run whose process goes
// away after every single event. All three have to look the same after every step.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { createVolatileStore } from 'callboard'
import { ensureBuilt, ROOT } from '../support/built-package.ts'
import { charts, ownCharts } from './all-charts.ts'
import { stepsOf, trace } from './chart.ts'
import type { Chart } from './chart.ts'
import { drivePlain, driveRun } from './drive.ts'
import type { Driven } from './drive.ts'
import { scxmlCharts } from './scxml-charts.ts'
import { atomicStates } from './scxml.ts'
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

function runProcess(database: string, index: number): Promise<Looks> {
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
async function looksOfProcesses(database: string): Promise<readonly Looks[]> {
  const last = Math.max(...charts.map(({ script }) => script.length))
  const looks: Looks[] = []
  for (let index = 0; index <= last; index++) looks.push(await runProcess(database, index))
  return looks
}

beforeAll(ensureBuilt)

/** The looks of every chart before and after a step. */
type Looks = Record<string, readonly [string, string]>

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
  let processes: readonly Looks[] = []

  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'callboard-'))
    try {
      processes = await looksOfProcesses(join(folder, 'runs.db'))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  it('every chart is where it was, and goes on as if it had never stopped', async () => {
    expect(new Set(charts.map(({ name }) => name)).size).toBe(charts.length)
    expect(ownCharts.length).toBeGreaterThanOrEqual(50)
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

  it('every published SCXML test arrives at the states that it says', () => {
    expect(scxmlCharts.length).toBeGreaterThanOrEqual(100)
    for (const { chart, expected } of scxmlCharts) {
      for (const [index, states] of expected.entries()) {
        if (states === undefined) continue
        const { value } = JSON.parse(processes[index]?.[chart.name]?.[1] ?? '{}') as { readonly value: unknown }
        expect.soft([...atomicStates(value)].sort(), `${chart.name}, step ${index}`).toEqual([...states].sort())
      }
    }
  })
})

/** What was done is not done again by the process that finds it done. */
function withNothingDone(look = '{}'): string {
  return showText({ ...(JSON.parse(look) as object), done: [] })
}
