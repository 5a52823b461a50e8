// Question 2: what does each further key of an update cost?
// Baseline: the same keys written into a Map.
import { createRuntime, defineContext, entry } from 'callboard'
import type { Run, Runtime } from 'callboard'
import { z } from 'zod'
import { collectGarbage, measure } from './harness.ts'
import type { Contender } from './harness.ts'
import { lineOf } from './report.ts'
import type { Limit, Question } from './report.ts'

const CASES = [
  { written: 10, existing: 1_000, limited: false },
  { written: 100, existing: 100, limited: true },
  { written: 100, existing: 1_000, limited: true },
  { written: 1_000, existing: 1_000, limited: true },
] as const
const KEYS_PER_SAMPLE = 4_000
const SAMPLES_PER_RUN = 4
const BASELINE = 'Map.set of 100 keys of 1,000'
const LIMIT: Limit = { kind: 'time', mostNs: 1_500 }

const board = defineContext({ 'item.*': entry(z.number()) })
const workflow = board.workflow({ agents: {} }).createMachine({ id: 'several-keys' })

export const severalKeysQuestion: Question = {
  name: 'several-keys',
  async answer() {
    const timings = await measure([mapWrites(), ...CASES.map(callboard)])
    return [
      {
        title: 'Several keys in one update',
        operation: 'one key of an accepted update of so many keys; every one of them has a value and gets another.',
        lines: [
          lineOf(timings, BASELINE),
          ...CASES.map((one) =>
            lineOf(timings, nameOf(one), { baseline: BASELINE, ...(one.limited ? { limit: LIMIT } : {}) }),
          ),
        ],
        notMeasured:
          'keys that are new, keys that others depend on, merges of objects and lists, an agent as the author. What an ' +
          'update costs however few its keys are is in the figures; ten keys share it among ten, and have no limit.',
      },
    ]
  },
}

interface Case {
  readonly written: number
  readonly existing: number
}

const show = (count: number): string => count.toLocaleString('en')
const nameOf = ({ written, existing }: Case): string => `Callboard, ${show(written)} keys of ${show(existing)}`

/** `written` of the keys, scattered over all. */
function scattered({ written, existing }: Case, shift: number): readonly string[] {
  return Array.from({ length: written }, (_, index) => `item.${(index * 7 + shift) % existing}`)
}

/** The values are made outside the timed part. */
function changesOf(one: Case, count: number): readonly Readonly<Record<string, number>>[] {
  return Array.from({ length: KEYS_PER_SAMPLE / one.written }, (_, index) =>
    Object.fromEntries(scattered(one, index).map((key) => [key, count + index])),
  )
}

function mapWrites(): Contender {
  const one = { written: 100, existing: 1_000 }
  const map = new Map<string, number>()
  let keys: readonly string[] = []
  return {
    name: BASELINE,
    operations: KEYS_PER_SAMPLE * 10,
    prepare: () => {
      keys = scattered(one, map.size)
    },
    run: (operations) => {
      for (let index = 0; index < operations; index++) map.set(keys[index % one.written] as string, index)
    },
  }
}

function callboard(one: Case): Contender {
  let open: { readonly runtime: Runtime; readonly run: Run } | undefined
  let changes: readonly Readonly<Record<string, number>>[] = []
  let samples = 0
  let count = 0
  return {
    name: nameOf(one),
    operations: KEYS_PER_SAMPLE,
    prepare: async () => {
      count += KEYS_PER_SAMPLE
      changes = changesOf(one, count)
      if (open !== undefined && samples++ % SAMPLES_PER_RUN !== 0) return
      await open?.runtime.close()
      const runtime = await createRuntime()
      const run = await runtime.start(workflow)
      await run.update(Object.fromEntries(Array.from({ length: one.existing }, (_, index) => [`item.${index}`, 0])))
      open = { runtime, run }
      collectGarbage()
    },
    run: async () => {
      for (const change of changes) await open?.run.update(change)
      const [key, value] = Object.entries(changes.at(-1) ?? {})[0] ?? ['', undefined]
      if (value === undefined || open?.run.get(key) !== value) throw new Error('the values did not arrive')
    },
    close: () => open?.runtime.close(),
  }
}
