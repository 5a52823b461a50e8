// Updater: takes what an author asks through preparation and the engine, and says what came of it.
import { CallboardError, setOwn } from '../base/index.ts'
import { authorName, prepareUpdate, redactRefusal } from '../context/index.ts'
import type { Asking, Catalogue, Cell, Entry, Refusal, Update, UpdateOptions } from '../context/index.ts'
import type { UpdateResult } from '../workflow/index.ts'
import type { AnswerNote, Engine, Turn } from './engine.ts'

/** What came of an update, and the cells it left for its author. */
export interface UpdateAnswer {
  readonly result: UpdateResult
  readonly cells: readonly Cell[]
}

/** Who asks, and what they knew. */
export interface Asker extends Pick<Asking, 'author' | 'access' | 'lineage' | 'seen' | 'others'> {
  /** The seq they are shown: their view's, or the run's. */
  readonly seq: () => number
  /** What they may be told of; everything unless given. */
  readonly sees?: (what: Entry | string) => boolean
}

const NO_CELLS: readonly Cell[] = Object.freeze([])
const NOTHING_TO_DO: UpdateAnswer = {
  result: { kind: 'accepted', versions: {}, conflicts: [], skipped: [] },
  cells: NO_CELLS,
}

export class Updater {
  readonly #runId: string
  readonly #catalogue: Catalogue
  readonly #engine: Engine
  readonly #nextId: () => string
  readonly #now: () => number

  constructor(fields: {
    runId: string
    catalogue: Catalogue
    engine: Engine
    nextId: () => string
    now: () => number
  }) {
    this.#runId = fields.runId
    this.#catalogue = fields.catalogue
    this.#engine = fields.engine
    this.#nextId = fields.nextId
    this.#now = fields.now
  }

  /** Resolves once what came of it, acceptance or refusal, is stored. */
  submit(
    asker: Asker,
    changes: Readonly<Record<string, unknown>>,
    options: UpdateOptions,
    note?: AnswerNote,
  ): Promise<UpdateAnswer> {
    const { author, access, lineage, seen, others } = asker
    const { expectedSeq } = options
    if (expectedSeq !== undefined && asker.seq() !== expectedSeq) {
      return this.#refuse(seqRefusal(authorName(author), expectedSeq, asker.seq()))
    }
    const update = prepareUpdate(
      {
        author,
        access,
        lineage,
        seen,
        catalogue: this.#catalogue,
        id: this.#nextId(),
        at: this.#now(),
        others,
      },
      changes,
      options,
    )
    if (update.kind === 'refused') return this.#refuse(update)
    if (update.changes.length === 0) return Promise.resolve(NOTHING_TO_DO)
    return new Promise((resolve, reject) => {
      const settle = (turn: Turn | undefined): void => this.#answer(update, turn, asker, resolve, reject)
      this.#engine.update(update, settle, reject, note)
    })
  }

  #answer(
    update: Update,
    turn: Turn | undefined,
    { sees = () => true }: Asker,
    resolve: (answer: UpdateAnswer) => void,
    reject: (error: unknown) => void,
  ): void {
    const outcome = turn?.snapshot.context.board.transcript.find((line) => line.update === update)
    if (outcome === undefined) {
      reject(
        new CallboardError('run.finished', `run ${this.#runId} has ended; it takes no more updates`, {
          runId: this.#runId,
        }),
      )
      return
    }
    const { result } = outcome
    if (result.kind === 'refused') {
      const isTold = result.key === undefined || result.reason === 'limit' || sees(result.key)
      resolve({ result: isTold ? result : redactRefusal(result), cells: NO_CELLS })
      return
    }
    const versions: Record<string, number> = {}
    const cells: Cell[] = []
    for (const { kind, key, cell } of result.changes) {
      if (kind !== 'put' && kind !== 'drop') continue
      cells.push(cell)
      if (!sees(cell.entry)) continue
      setOwn(versions as Record<string, unknown>, key, cell.entry.version)
    }
    // A conflict shows what another author wrote: only to those who may see the entry.
    const conflicts = result.conflicts.filter(({ key }) => Object.hasOwn(versions, key))
    const skipped = result.skipped.filter(sees)
    resolve({ result: { kind: 'accepted', versions, conflicts, skipped }, cells })
  }

  async #refuse(refusal: Refusal): Promise<UpdateAnswer> {
    await this.#engine.append('refusal', refusal.author, { keys: refusal.key === undefined ? [] : [refusal.key] }, [
      refusal,
    ])
    return { result: refusal, cells: NO_CELLS }
  }
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
