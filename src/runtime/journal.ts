// Journal: what the agents of one run have done and must not do again.
//   J1. A finished step is found by (invocation, name, occurrence) and gives the same result for ever.
//   J2. Attempts are counted before they are made.
import { handOut } from '../base/index.ts'
import type { JournalLine } from './fork.ts'

/** What is known of one step. */
export interface StepEntry {
  readonly attempts: number
  readonly finished: boolean
  readonly result: unknown
  /** Not to be tried again before this instant. */
  readonly retryAt: number | undefined
}

/** Under which name it keeps how an agent on a branch has ended, once the branch is merged. Not a name of a user's step. */
export const MERGE_STEP = '\u0000merge'

const NEW_STEP: StepEntry = Object.freeze({ attempts: 0, finished: false, result: undefined, retryAt: undefined })

export class Journal {
  readonly #steps = new Map<string, Map<string, StepEntry>>()

  /** @param stepKey the name of the step and which occurrence of that name it is */
  get(invocation: string, stepKey: string): StepEntry {
    const entry = this.#steps.get(invocation)?.get(stepKey) ?? NEW_STEP
    return entry.finished ? { ...entry, result: handOut(entry.result) } : entry
  }

  begin(invocation: string, stepKey: string, attempt: number): void {
    this.#set(invocation, stepKey, { attempts: attempt, finished: false, result: undefined, retryAt: undefined })
  }

  finish(invocation: string, stepKey: string, attempt: number, result: unknown): void {
    this.#set(invocation, stepKey, { attempts: attempt, finished: true, result, retryAt: undefined })
  }

  /** Another attempt is to be made, at an instant. */
  postpone(invocation: string, stepKey: string, attempt: number, retryAt: number): void {
    this.#set(invocation, stepKey, { attempts: attempt, finished: false, result: undefined, retryAt })
  }

  /** Takes over what a record says. */
  apply({ invocation, step, attempt, phase, result, retryAt }: JournalLine): void {
    if (phase === 'finished') this.finish(invocation, step, attempt, result)
    else if (retryAt === undefined) this.begin(invocation, step, attempt)
    else this.postpone(invocation, step, attempt, retryAt)
  }

  /** What it knows, as records would say it. */
  lines(): readonly JournalLine[] {
    return [...this.#steps].flatMap(([invocation, steps]) =>
      Array.from(steps, ([step, { attempts: attempt, finished, result, retryAt }]): JournalLine => {
        if (finished) return { invocation, step, attempt, phase: 'finished', result }
        return { invocation, step, attempt, phase: 'begun', ...(retryAt === undefined ? {} : { retryAt }) }
      }),
    )
  }

  /** An invocation that has ended will not ask again. */
  forget(invocation: string): void {
    this.#steps.delete(invocation)
  }

  #set(invocation: string, stepKey: string, entry: StepEntry): void {
    const steps = this.#steps.get(invocation) ?? new Map<string, StepEntry>()
    this.#steps.set(invocation, steps.set(stepKey, entry))
  }
}
