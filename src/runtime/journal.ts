// Journal: what the agents of one run have done and must not do again. It follows the records: what is not stored is not
// in it, so that a journal that was kept up to date and one that was folded or read from a snapshot are the same.
//   J1. A finished step is found by (invocation, name, occurrence) and gives the same result as long as its agent lives.
//   J2. Attempts are counted before they are made: the record that one begins is stored before it does.
import { handOut } from '../base/index.ts'
import type { JournalLine } from './fork.ts'
import { tag, untag } from '../ledger/index.ts'

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
/** A step as a snapshot keeps it: `state` is 0 for begun, 1 for finished with its result, 2 for put off until an instant. */
type PackedStep = readonly [step: string, attempts: number, state: 0 | 1 | 2, content?: unknown]

/** A journal as a snapshot keeps it. */
export type PackedJournal = readonly (readonly [invocation: string, steps: readonly PackedStep[]])[]

const NEW_STEP: StepEntry = Object.freeze({ attempts: 0, finished: false, result: undefined, retryAt: undefined })

/** What a journal without a line has: most runs have no steps under way, and an empty map takes 200 bytes. */
const NO_STEPS: Map<string, Map<string, StepEntry>> = new Map()

export class Journal {
  #steps = NO_STEPS

  /** @param stepKey the name of the step and which occurrence of that name it is */
  get(invocation: string, stepKey: string): StepEntry {
    const entry = this.#steps.get(invocation)?.get(stepKey) ?? NEW_STEP
    return entry.finished ? { ...entry, result: handOut(entry.result) } : entry
  }

  /** Takes over a result: of a step, or of a question to a person. */
  finish(invocation: string, stepKey: string, attempt: number, result: unknown): void {
    this.#set(invocation, stepKey, { attempts: attempt, finished: true, result, retryAt: undefined })
  }

  /** Takes over what a record says. */
  apply({ invocation, step, attempt, phase, result, retryAt }: JournalLine): void {
    if (phase === 'finished') this.finish(invocation, step, attempt, result)
    else this.#set(invocation, step, { attempts: attempt, finished: false, result: undefined, retryAt })
  }

  /** Something is due at an instant. */
  postpone(invocation: string, stepKey: string, at: number): void {
    this.#set(invocation, stepKey, { ...NEW_STEP, retryAt: at })
  }

  drop(invocation: string, stepKey: string): void {
    const steps = this.#steps.get(invocation)
    if (steps?.delete(stepKey) === true && steps.size === 0) this.#steps.delete(invocation)
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

  /** Forgets invocations that have ended: they will not ask again. */
  keepOnly(invocations: ReadonlySet<string>): void {
    for (const invocation of [...this.#steps.keys()]) if (!invocations.has(invocation)) this.#steps.delete(invocation)
  }

  get size(): number {
    return this.#steps.size
  }

  /** Whether it knows anything of an invocation. */
  has(invocation: string): boolean {
    return this.#steps.has(invocation)
  }

  pack(): PackedJournal {
    return Array.from(this.#steps, ([invocation, steps]) => [invocation, Array.from(steps, packStep)] as const)
  }

  static unpack(packed: PackedJournal): Journal {
    const journal = new Journal()
    for (const [invocation, steps] of packed) {
      for (const [step, attempts, state, content] of steps) {
        const result = state === 1 ? untag(content) : undefined
        const retryAt = state === 2 ? (content as number) : undefined
        journal.#set(invocation, step, { attempts, finished: state === 1, result, retryAt })
      }
    }
    return journal
  }

  #set(invocation: string, stepKey: string, entry: StepEntry): void {
    const steps = this.#steps.get(invocation) ?? new Map<string, StepEntry>()
    if (this.#steps === NO_STEPS) this.#steps = new Map()
    this.#steps.set(invocation, steps.set(stepKey, entry))
  }
}

function packStep([step, { attempts, finished, result, retryAt }]: readonly [string, StepEntry]): PackedStep {
  if (finished) return [step, attempts, 1, tag(result)]
  return retryAt === undefined ? [step, attempts, 0] : [step, attempts, 2, retryAt]
}
