// Harness: times contenders side by side, so that whatever disturbs the machine disturbs them all alike.
//   H1. Every round runs every contender once, each round beginning with another one; a figure is the median over the rounds.
//   H2. Warm-up rounds are run like the others and thrown away.
//   H3. A sample's time is what has passed, or what the process has used of the processors where that is less: on a
//       machine of its own the one, on a busy one the other, so that the time others take does not count. A contender
//       that times a part itself gives the median of that.
//   H4. `prepare` and the collection of young garbage before a sample are not timed.
// What a figure is held against is the business of report.ts.
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** One way to do the thing in question. */
export interface Contender {
  readonly name: string
  /** How often a sample does it: enough for a few milliseconds. */
  readonly operations: number
  /** Called before every sample. */
  readonly prepare?: () => void | Promise<void>
  /** Where only a part of what it does is in question, it times that itself: nanoseconds for one operation. */
  readonly run: (operations: number) => void | number | Promise<void | number>
  /** Called after the last round. */
  readonly close?: () => void | Promise<void>
}

/** The median of one contender, in nanoseconds for one operation. */
export interface Timing {
  readonly name: string
  readonly ns: number
}

export type Timings = ReadonlyMap<string, Timing>

export interface Rounds {
  readonly rounds: number
  readonly warmups: number
}

export const STANDARD_ROUNDS: Rounds = { rounds: 31, warmups: 5 }

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void

/** Collects all garbage: for a `prepare` that has built or thrown away much. */
export function collectGarbage(): void {
  collect()
}

/** Times the contenders against each other. */
export async function measure(
  contenders: readonly Contender[],
  { rounds, warmups }: Rounds = STANDARD_ROUNDS,
): Promise<Timings> {
  const samples = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  for (let round = 0; round < warmups + rounds; round++) {
    for (const contender of rotated(contenders, round)) {
      await contender.prepare?.()
      const ns = await timeOnce(contender)
      if (round >= warmups) samples.get(contender.name)?.push(ns)
    }
  }
  for (const { close } of contenders) await close?.()
  return new Map(Array.from(samples, ([name, all]) => [name, { name, ns: median(all) }]))
}

async function timeOnce({ run, operations }: Contender): Promise<number> {
  collect({ type: 'minor' })
  let own: number | void = undefined
  const ns = await timeOf(async () => void (own = await run(operations)))
  return typeof own === 'number' ? own : ns / operations
}

/** The nanoseconds of some work as H3 counts them: for a contender of which only a part is in question. */
export async function timeOf(work: () => Promise<void>): Promise<number> {
  const usedBefore = process.cpuUsage()
  const began = performance.now()
  await work()
  const wallNs = (performance.now() - began) * 1e6
  // All threads of the process; the thread's own figure moves in ticks of milliseconds on Linux.
  const { user, system } = process.cpuUsage(usedBefore)
  return Math.min(wallNs, (user + system) * 1e3)
}

/**
 * The nanoseconds that have passed during some work, waiting for the disk included, but not waiting for a processor that
 * others had (which only Linux tells): for a contender that waits for the disk.
 */
export async function elapsedOf(work: () => void | Promise<void>): Promise<number> {
  const delayedBefore = delayedNs()
  const began = performance.now()
  await work()
  return (performance.now() - began) * 1e6 - (delayedNs() - delayedBefore)
}

/** How long the main thread has been ready to run and could not. */
function delayedNs(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1])
  } catch {
    return 0
  }
}

function rotated<Item>(items: readonly Item[], by: number): readonly Item[] {
  const first = by % items.length
  return [...items.slice(first), ...items.slice(0, first)]
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2
}
