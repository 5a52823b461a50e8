import { randomBytes } from 'node:crypto'

/** Makes ids: `next('run')` gives `run_` and 16 hexadecimal digits. Replace it for reproducible runs. */
export interface Ids {
  next(kind: string): string
}

export const randomIds: Ids = {
  next: (kind) => `${kind}_${randomBytes(8).toString('hex')}`,
}
