import { randomFillSync } from 'node:crypto'

/** Makes ids: `next('run')` gives `run_` and 16 hexadecimal digits. Replace it for reproducible runs. */
export interface Ids {
  next(kind: string): string
}

/** Asking the system for eight random bytes costs as much as for thousands. */
const drawn = Buffer.alloc(4_096)
const ID_BYTES = 8
let used = drawn.length

export const randomIds: Ids = {
  next: (kind) => {
    if (used === drawn.length) {
      randomFillSync(drawn)
      used = 0
    }
    used += ID_BYTES
    return `${kind}_${drawn.toString('hex', used - ID_BYTES, used)}`
  },
}
