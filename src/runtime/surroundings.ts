// Surroundings: what is around the code of agents while it runs: a context of OpenTelemetry, of a logger, of a profiler.
//   N1. The code runs exactly once, whatever a surrounding does, and what comes of it is its own.
//   N2. A surrounding that fails is reported; nothing else is harmed.

/** Whose code it is that runs. */
export interface SurroundedWork {
  readonly runId: string
  readonly agent: string
  readonly invocation: string
  /** The attempt of a step; undefined for the agent as a whole. */
  readonly step: { readonly name: string; readonly attempt: number } | undefined
}

/**
 * Called whenever an agent, or an attempt of one of its steps, begins. It calls `run`, once and at once, within whatever it
 * puts around it; what comes of the code, it does not see, and it must not wait. Where it fails, or does not call `run`, the
 * code runs without it.
 */
export type Surrounding = (work: SurroundedWork, run: () => void) => void

export class Surroundings {
  readonly #all = new Set<Surrounding>()
  readonly #onFailure: (error: unknown) => void

  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure
  }

  /** Puts something around what agents run from now on; gives the function that takes it away. The first is outermost. */
  add(surrounding: Surrounding): () => void {
    const added: Surrounding = (work, run) => surrounding(work, run)
    this.#all.add(added)
    return () => void this.#all.delete(added)
  }

  /** Runs some code within all of them. */
  run<Result>(work: SurroundedWork, code: () => Result): Result {
    if (this.#all.size === 0) return code()
    return [...this.#all].reduceRight<() => Result>((inner, one) => () => this.#runIn(one, work, inner), code)()
  }

  #runIn<Result>(surrounding: Surrounding, work: SurroundedWork, inner: () => Result): Result {
    let outcome: { readonly get: () => Result } | undefined
    const once = (): void => {
      outcome ??= outcomeOf(inner)
    }
    try {
      surrounding(work, once)
    } catch (error) {
      this.#onFailure(error)
    }
    once()
    return (outcome as unknown as { readonly get: () => Result }).get()
  }
}

function outcomeOf<Result>(code: () => Result): { readonly get: () => Result } {
  try {
    const result = code()
    return { get: () => result }
  } catch (error) {
    return {
      get: () => {
        throw error
      },
    }
  }
}
