// Parameters: what the names in paths and queries mean. A name means the same everywhere; where it does not, the schema
// says it.
const PARAMETERS: Readonly<Record<string, string>> = {
  afterSeq: 'only records after this seq',
  agent: 'the id of an agent; agents name themselves only',
  at: 'a seq, or the id of a snapshot or episode, instead of now',
  batchId: 'the id that proposing gave',
  conflictId: 'the id of a conflict of the run',
  cursor: '`next` of the page before',
  evolutionId: 'the id of an evolution, which is that of its run',
  fresh: 'a stale entry does not count',
  from: 'a seq, or the id of a snapshot or episode',
  key: 'the key of an entry',
  limit: 'the most that a page has',
  maxTokens: 'the most tokens that the text has',
  memoryId: 'the id of a memory item',
  name: 'the name of a workflow',
  open: 'only those that nobody has decided anew',
  point: 'a seq, or the id of a snapshot or episode',
  prefix: 'only keys that begin so',
  project: 'the project on whose behalf is remembered',
  q: 'what is asked, in words',
  requestId: 'the id of an open request',
  runId: 'the id of a run',
  run_id: 'the id of a task',
  secrets: 'sensitive values, too; for admins',
  sessionId: 'the id of a session',
  since: 'only a version above this one counts',
  status: 'only those of this status',
  timeoutMs: 'how long to wait, in milliseconds',
  to: 'a seq, or the id of a snapshot or episode',
  tokenId: 'the id of a token; the secret is no part of it',
  topK: 'the most items that are found',
  top_k: 'the most items that are found',
  type: 'the type of the agent, where that is not its id',
  user: 'the user on whose behalf is remembered',
  workflow: 'only runs of the workflow of this name',
}

/** What a parameter means. */
export function meaningOf(name: string, schema?: Readonly<Record<string, unknown>>): string | undefined {
  const said = schema?.['description']
  return typeof said === 'string' ? said : PARAMETERS[name]
}
