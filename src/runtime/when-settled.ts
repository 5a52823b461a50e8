/**
 * Calls back when all promises at hand have settled: whoever was given something to do is at it. A tick that is asked for by
 * a promise comes after the promises.
 */
export function whenSettled(act: () => void): void {
  void Promise.resolve().then(() => process.nextTick(act))
}
