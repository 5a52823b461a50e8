// Compare: an entry three ways, as it was, as it was planned and as it is, and how far every number in it has come.
import type { Moment } from './moment.ts'
import type { Point } from './point.ts'

/** An entry as it is now, by its key, or as it was at a point. */
export type ComparedSide<Key extends string> = Key | { readonly key: Key; readonly at: Point }

/** Which entries are compared: three sections of a board, or one of them at two points. */
export interface ComparedSides<Before extends string, Plan extends string, After extends string> {
  readonly before: ComparedSide<Before>
  readonly plan?: ComparedSide<Plan>
  readonly after: ComparedSide<After>
}

/** What a comparison found; a side is undefined where nothing is known of it. */
export interface Comparison<Before = unknown, Plan = unknown, After = unknown> {
  readonly before: Before | undefined
  readonly plan: Plan | undefined
  readonly after: After | undefined
  /** Of every number that is in both `before` and `after`, in the order of its path. */
  readonly deltas: readonly NumberDelta[]
}

/** A number that stands at one place before and after. */
export interface NumberDelta {
  /** The fields on the way down to it; [] where the value itself is the number. Items of lists are not compared. */
  readonly path: readonly string[]
  readonly before: number
  /** Where the plan has a number at the same place. */
  readonly plan: number | undefined
  readonly after: number
  /** After minus before. */
  readonly delta: number
}

/** What is read of a run. */
interface Readable {
  get(key: string): unknown
  at(point: Point): Promise<Pick<Moment, 'get'>>
}

export async function compareSides(
  run: Readable,
  { before: was, plan: wanted, after: is }: ComparedSides<string, string, string>,
): Promise<Comparison> {
  const before = await readSide(run, was)
  const plan = wanted === undefined ? undefined : await readSide(run, wanted)
  const after = await readSide(run, is)
  return Object.freeze({ before, plan, after, deltas: Object.freeze(deltasBetween({ before, plan, after })) })
}

async function readSide(run: Readable, side: ComparedSide<string>): Promise<unknown> {
  return typeof side === 'string' ? run.get(side) : (await run.at(side.at)).get(side.key)
}

interface Values {
  readonly before: unknown
  readonly plan: unknown
  readonly after: unknown
}

function deltasBetween({ before, plan, after }: Values, path: readonly string[] = []): readonly NumberDelta[] {
  if (typeof before === 'number' && typeof after === 'number') {
    const planned = typeof plan === 'number' ? plan : undefined
    return [Object.freeze({ path, before, plan: planned, after, delta: difference(after, before) })]
  }
  if (!isFields(before) || !isFields(after)) return []
  return Object.keys(before)
    .filter((name) => Object.hasOwn(after, name))
    .toSorted()
    .flatMap((name) => {
      const planned = isFields(plan) && Object.hasOwn(plan, name) ? plan[name] : undefined
      return deltasBetween({ before: before[name], plan: planned, after: after[name] }, [...path, name])
    })
}

const SIGNIFICANT_DIGITS = 12

/** 0.3 - 0.1 is 0.2. */
function difference(after: number, before: number): number {
  return Number((after - before).toPrecision(SIGNIFICANT_DIGITS))
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return Object.prototype.toString.call(value) === '[object Object]'
}
