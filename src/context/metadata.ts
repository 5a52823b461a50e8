// Metadata: what is known about an entry beside its value. It is shown with every entry, so all of it must freeze.
import { admitValue, CallboardError, isPlainObject } from '../base/index.ts'
import type { AdmittedValue } from '../base/index.ts'

/**
 * Copies and freezes metadata.
 *
 * @throws CallboardError `value.unsupported`
 */
export function admitMetadata(metadata: unknown): AdmittedValue {
  const admitted = admitValue(metadata)
  if (isPlainObject(admitted.value) && !admitted.exotic) return admitted
  throw new CallboardError(
    'value.unsupported',
    'metadata must be an object of plain JSON data: keep a date as text or in milliseconds',
    { path: [], what: 'metadata' },
  )
}
