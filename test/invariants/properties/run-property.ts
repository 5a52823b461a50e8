import * as fc from 'fast-check'

/**
 * The seed every property starts from, so that a failure is the same on every machine; set CALLBOARD_SEED to look
 * elsewhere. A failure's report names seed and path.
 */
export const SEED = Number(process.env['CALLBOARD_SEED'] ?? 20_260_101)

/** Runs of one property; set CALLBOARD_RUNS for a longer hunt. */
export const RUNS = Number(process.env['CALLBOARD_RUNS'] ?? 1_000)

type AnyProperty = fc.IProperty<unknown> | fc.IAsyncProperty<unknown>

/**
 * Fast-check's report, with seed, path, the shrunken counterexample and its error; undefined when every run holds:
 * `expect(await failureOf(property)).toBeUndefined()`.
 */
export async function failureOf(property: AnyProperty): Promise<string | undefined> {
  const parameters = { numRuns: RUNS, seed: SEED, includeErrorInReport: true }
  return fc.defaultReportMessage(await fc.check(property as fc.IAsyncProperty<unknown>, parameters))
}

/** The first violation among the same runs, unshrunk; undefined when every one of them holds. */
export async function firstViolation(property: AnyProperty): Promise<unknown> {
  const parameters = { numRuns: RUNS, seed: SEED, endOnFailure: true }
  const details = await fc.check(property as fc.IAsyncProperty<unknown>, parameters)
  return details.failed ? details.errorInstance : undefined
}
