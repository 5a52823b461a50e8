// Pages: the frames of records that are in the ledger only, for readers who are far behind.
//   P1. One page is read at a time, whoever asks: records come with their values, and only frames are kept of them.
//   P2. Who asks for what is being read gets the same; pages end at the same seqs for all, so that soon they are the same.
import { changeOf, readRecords } from '../runtime/index.ts'
import type { Store } from '../store/index.ts'
import { Frame } from './frame.ts'

/** Records read at once; those with large values are many bytes. */
const PAGE = 64

export class Pages {
  readonly #store: Store
  readonly #reading = new Map<string, Promise<readonly Frame[]>>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(store: Store) {
    this.#store = store
  }

  /** @throws CallboardError `run.trimmed` */
  after(runId: string, seq: number): Promise<readonly Frame[]> {
    const name = JSON.stringify([runId, seq])
    const known = this.#reading.get(name)
    if (known !== undefined) return known
    const read = async (): Promise<readonly Frame[]> => {
      const records = await readRecords(this.#store, runId, { afterSeq: seq, limit: PAGE - (seq % PAGE) })
      return records.map((record) => new Frame(runId, changeOf(record)))
    }
    const reading = this.#last.then(read).finally(() => this.#reading.delete(name))
    this.#reading.set(name, reading)
    this.#last = reading.catch(() => {})
    return reading
  }
}
