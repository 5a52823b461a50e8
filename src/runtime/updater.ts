// Updater: takes what an author asks through preparation and the engine, and says what came of it.
import { CallboardError, handOut } from '../base/index.ts'
import type { Clock } from '../base/index.ts'
import { authorName, prepareUpdate, redactRefusal, Update } from '../context/index.ts'
import type {
  Acceptance,
  Asking,
  Author,
  Catalogue,
  CellChange,
  Conflict,
  Entry,
  EntryAddress,
  PlaceChange,
  Refusal,
  UpdateOptions,
} from '../context/index.ts'
import type { Accepted, UpdateResult } from '../workflow/index.ts'
import type { Engine } from './engine.ts'
import type { RecordNote } from './record-note.ts'
import type { Turn } from './turn.ts'

/** What came of an update, and the changes it made. */
export interface UpdateAnswer {
  readonly result: UpdateResult
  readonly changes: readonly CellChange[]
}

/** Who asks, and what they knew. */
export interface Asker extends Pick<Asking, 'author' | 'access' | 'lineage' | 'seen' | 'others'> {
  /** The seq they are shown: their view's, or the run's. */
  readonly seq: () => number
  /** What they may be told of; everything unless given. */
  readonly sees?: (entry: Entry) => boolean
  /** Whether what is at an address is there for them to see. A key would not do: their own entry may stand before it. */
  readonly seesAt?: (address: EntryAddress) => boolean
}

/** To whom an outcome is told. */
type Told = Pick<Asker, 'sees' | 'seesAt'>

const NO_CHANGES: readonly CellChange[] = Object.freeze([])
const NO_CONFLICTS: readonly Conflict[] = Object.freeze([])
/** What is handed out must not be what the ledger keeps, nor what the next caller is given. */
const NONE: readonly never[] = Object.freeze([])
const NOTHING_TO_DO: UpdateAnswer = {
  result: Object.freeze({ kind: 'accepted', versions: Object.freeze({}), conflicts: NONE, skipped: NONE }),
  changes: NO_CHANGES,
}

/** Whose board is written to. */
export interface UpdateTarget {
  readonly runId: string
  readonly catalogue: Catalogue
  readonly clock: Clock
}

export class Updater {
  readonly #target: UpdateTarget
  readonly #engine: Engine
  readonly #nextId: () => string

  constructor(target: UpdateTarget, engine: Engine, nextId: () => string) {
    this.#target = target
    this.#engine = engine
    this.#nextId = nextId
  }

  /** Resolves once what came of it, acceptance or refusal, is stored. */
  submit(
    asker: Asker,
    changes: Readonly<Record<string, unknown>>,
    options: UpdateOptions,
    note?: RecordNote,
  ): Promise<UpdateAnswer> {
    const update = this.prepare(asker, changes, options)
    return update.kind === 'refused' ? this.#refuse(update) : this.#submit(update, asker, note)
  }

  /** Puts entries in place as it was just decided, or notes why not; resolves once that is stored. */
  place(author: Author, decided: readonly PlaceChange[] | Refusal, note: RecordNote): Promise<UpdateAnswer> {
    if ('kind' in decided) return this.#refuse(decided)
    const update = new Update({
      id: this.#nextId(),
      author,
      at: this.#target.clock.now(),
      changes: decided,
      lineage: [],
    })
    return this.#submit(update, {}, note)
  }

  /** The update that was asked for, or why it cannot be one. */
  prepare(asker: Asker, changes: Readonly<Record<string, unknown>>, options: UpdateOptions): Update | Refusal {
    const { author, access, lineage, seen, others } = asker
    const { expectedSeq } = options
    if (expectedSeq !== undefined && asker.seq() !== expectedSeq) {
      return seqRefusal(authorName(author), expectedSeq, asker.seq())
    }
    return prepareUpdate(
      {
        author,
        access,
        lineage,
        seen,
        catalogue: this.#target.catalogue,
        id: this.#nextId(),
        at: this.#target.clock.now(),
        others,
      },
      changes,
      options,
    )
  }

  #submit(update: Update, asker: Told, note: RecordNote | undefined): Promise<UpdateAnswer> {
    if (update.changes.length === 0) return Promise.resolve(NOTHING_TO_DO)
    return new Promise((resolve, reject) => {
      const settle = (turn: Turn | undefined): void => this.#answer(update, turn, asker, resolve, reject)
      this.#engine.update(update, settle, reject, note)
    })
  }

  #answer(
    update: Update,
    turn: Turn | undefined,
    asker: Told,
    resolve: (answer: UpdateAnswer) => void,
    reject: (error: unknown) => void,
  ): void {
    const outcome = turn?.snapshot.context.board.transcript.find((line) => line.update === update)
    if (outcome === undefined) {
      const { runId } = this.#target
      reject(new CallboardError('run.finished', `run ${runId} has ended; it takes no more updates`, { runId }))
      return
    }
    resolve(answerOf(outcome.result, update.changes, asker))
  }

  async #refuse(refusal: Refusal): Promise<UpdateAnswer> {
    await this.#engine.append('refusal', refusal.author, { keys: refusal.key === undefined ? [] : [refusal.key] }, [
      refusal,
    ])
    return { result: refusal, changes: NO_CHANGES }
  }
}

/** What an asker is told of what came of these changes. */
export function answerOf(
  result: Acceptance | Refusal,
  asked: readonly EntryAddress[],
  { sees = () => true, seesAt = () => true }: Told,
): UpdateAnswer {
  const isInSight = (key: string): boolean => asked.filter((change) => change.key === key).every(seesAt)
  if (result.kind === 'refused') {
    const isTold = result.key === undefined || result.reason === 'limit' || isInSight(result.key)
    return { result: isTold ? result : redactRefusal(result), changes: NO_CHANGES }
  }
  const { changes } = result
  // A conflict shows what another author wrote, a version how often others wrote: only to those who may see the entry.
  const seen = changes.filter(({ kind, cell }) => (kind === 'put' || kind === 'drop') && sees(cell.entry))
  const told =
    result.conflicts.length === 0
      ? NO_CONFLICTS
      : result.conflicts.filter(({ key }) => seen.some((change) => change.key === key))
  const conflicts = told.length === 0 ? NO_CONFLICTS : (handOut(told) as readonly Conflict[])
  const skipped = result.skipped.length === 0 ? result.skipped : result.skipped.filter(isInSight)
  return { result: acceptanceOf(seen, conflicts, skipped), changes }
}

function acceptanceOf(
  seen: readonly CellChange[],
  conflicts: readonly Conflict[],
  skipped: readonly string[],
): Accepted {
  if (seen.length <= FEW_KEYS) return { kind: 'accepted', conflicts, skipped, versions: versionsOf(seen) }
  // Few look at the versions, and an object of ever new keys is not cheap; nor is a getter, which costs as much as ten.
  let versions: Accepted['versions'] | undefined
  return {
    kind: 'accepted',
    conflicts,
    skipped,
    get versions() {
      return (versions ??= versionsOf(seen))
    },
  }
}

const FEW_KEYS = 10

function versionsOf(seen: readonly CellChange[]): Accepted['versions'] {
  return Object.freeze(Object.fromEntries(seen.map(({ key, cell }) => [key, cell.entry.version])))
}

function seqRefusal(author: string, expected: number, actual: number): Refusal {
  return Object.freeze({
    kind: 'refused',
    reason: 'expected-seq',
    key: undefined,
    author,
    message: `${author}: seq ${expected} was expected, but it is ${actual}; read again and retry`,
  })
}
