/** What a record says of an event or update beyond itself: for what it was sent. */
export interface RecordNote {
  /** It answers a person's request, or ends an agent's step: `<invocation>/<name>`. */
  readonly answers?: string
  readonly answer?: unknown
  /** It decides this conflict anew. */
  readonly resolves?: string
  /** It puts entries back to what they were after this record. */
  readonly restores?: number
  /** It merges the branch of this invocation. */
  readonly merges?: string
}
