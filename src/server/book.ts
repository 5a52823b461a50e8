// Book: what a server has to remember beside its runs: tokens, answers under idempotency keys, audit records, milestone
// tokens. A SQLite file of its own, so that runs can be copied and handed on without anybody's tokens.
//   K1. Of a token or milestone token only the hash is kept; an answer that shows one is sealed by its caller's token.
//   K2. A key is claimed, on the disk, before its request is carried out. An answer that was not kept, because the process
//       ended in between, is never guessed: the key stays claimed, and asking again says so.
//   K3. An audit record has no values: who, what route, which ids, what came of it.
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import { CallboardError } from '../base/index.ts'
import type { Role } from './caller.ts'
import { KeptAnswers } from './kept-answers.ts'
import type { KeptAnswer, KeyPlace, KeyState } from './kept-answers.ts'
import { SharedWrites } from './shared-writes.ts'
import { hashOf, isSameHash, makeToken, parseToken } from './token.ts'
import type { StoredToken } from './token.ts'

export interface AuditRecord {
  readonly at: number
  readonly requestId: string
  readonly tenant: string
  /** The token's id; null without one. */
  readonly tokenId: string | null
  readonly caller: string
  readonly method: string
  /** The pattern, not the path. */
  readonly route: string
  readonly ids: Readonly<Record<string, string>>
  readonly status: number
  readonly code: string | null
}

export type NewToken = Pick<StoredToken, 'name' | 'role' | 'tenant' | 'agent'> & { readonly expiresAt?: number }

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS tokens (
    id TEXT PRIMARY KEY, hash BLOB NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, tenant TEXT NOT NULL,
    agent_type TEXT, agent_id TEXT, created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS answers (
    owner TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, at INTEGER NOT NULL,
    status INTEGER, headers TEXT, body TEXT, PRIMARY KEY (owner, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS answers_at ON answers (at);
  CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY, at INTEGER NOT NULL, tenant TEXT NOT NULL, record TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS milestones (
    tenant TEXT NOT NULL, run_id TEXT NOT NULL, hash BLOB NOT NULL, expires_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS milestones_run ON milestones (tenant, run_id);
  CREATE TABLE IF NOT EXISTS readers (
    tenant TEXT NOT NULL, run_id TEXT NOT NULL, user TEXT, project TEXT, PRIMARY KEY (tenant, run_id)
  ) STRICT, WITHOUT ROWID;
`
/** The newest stays whatever its age: if its id were given again, who reads on from a cursor would miss records. */
const OLD_AUDIT = 'at < ? AND id < (SELECT max(id) FROM audit)'
const BUSY_TIMEOUT_MS = 5_000
const RETRY_MS = 10
const BUSY = 5
const PRIMARY_CODE = 0xff
const SHORTEST_KEY = 16
const NOBODY = hashOf('')

export interface BookOptions {
  /** Encrypts answers that are kept for callers without a token; those of others are sealed by their tokens. */
  readonly key?: string | Uint8Array | undefined
}

/**
 * Opens the book of a server, making it if need be; in memory where no path is given.
 * @throws CallboardError `server.book`; `server.option` for a key that is too short
 */
export function openBook(path = ':memory:', { key }: BookOptions = {}): ServerBook {
  if (key !== undefined && Buffer.byteLength(key) < SHORTEST_KEY) {
    const message = `the key of the book is too short; give at least ${SHORTEST_KEY} bytes, best 32 random ones`
    throw new CallboardError('server.option', message, {})
  }
  try {
    if (path !== ':memory:') makeFile(path)
    const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
    prepare(db)
    return new ServerBook(db, key)
  } catch (error) {
    const message = 'the book of the server cannot be opened; check its file, its permissions and its disk'
    throw new CallboardError('server.book', message, {}, { cause: error })
  }
}

/** Readable by its owner only, as the files that SQLite makes beside it are then. */
function makeFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  closeSync(openSync(path, 'a', 0o600))
}

/** Turning a new file into a shared one takes locks for which SQLite does not wait. */
function prepare(db: DatabaseSync): void {
  const pause = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    try {
      db.exec(SCHEMA)
      return
    } catch (error) {
      const { errcode = 0 } = error as { readonly errcode?: number }
      if ((errcode & PRIMARY_CODE) !== BUSY || waitedMs >= BUSY_TIMEOUT_MS) throw error
    }
    Atomics.wait(pause, 0, 0, RETRY_MS)
  }
}

export class ServerBook {
  readonly #db: DatabaseSync
  readonly #writes: SharedWrites
  readonly #answers: KeptAnswers
  readonly #statements = new Map<string, StatementSync>()
  #isClosed = false

  /** Use `openBook`. */
  constructor(db: DatabaseSync, key: string | Uint8Array | undefined) {
    this.#db = db
    this.#writes = new SharedWrites(db)
    this.#answers = new KeptAnswers(db, key)
  }

  /** Makes a token; `text` is shown once and never kept. */
  addToken(token: NewToken, at: number): { readonly id: string; readonly text: string } {
    const { id, text, hash } = makeToken()
    const { name, role, tenant, agent, expiresAt } = token
    this.#sql('INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)').run(
      id,
      hash,
      name,
      role,
      tenant,
      agent?.type ?? null,
      agent?.id ?? null,
      at,
      expiresAt ?? null,
    )
    return { id, text }
  }

  /** Oldest first. */
  tokens(): readonly StoredToken[] {
    return this.#sql('SELECT * FROM tokens ORDER BY created_at, id').all().map(tokenOf)
  }

  /** Whether there is any, revoked ones included: a server that had tokens is never open to all again. */
  get hasTokens(): boolean {
    return this.#sql('SELECT 1 FROM tokens LIMIT 1').get() !== undefined
  }

  /** The token that was shown, if it is one and counts now. */
  findToken(text: string, at: number): StoredToken | undefined {
    const shown = parseToken(text)
    const row = shown === undefined ? undefined : this.#sql('SELECT * FROM tokens WHERE id = ?').get(shown.id)
    const isRight = isSameHash((row?.['hash'] as Uint8Array | undefined) ?? NOBODY, shown?.hash ?? hashOf('-'))
    if (row === undefined || !isRight) return undefined
    const token = tokenOf(row)
    return isInForce(token, at) ? token : undefined
  }

  isTokenInForce(id: string, at: number): boolean {
    const row = this.#sql('SELECT * FROM tokens WHERE id = ?').get(id)
    return row !== undefined && isInForce(tokenOf(row), at)
  }

  /** Whether there was one in force. */
  revokeToken(id: string, at: number): boolean {
    return this.#sql('UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL').run(at, id).changes === 1
  }

  /** Claims a key for a request, or says what is known under it. */
  claimKey(place: KeyPlace, asked: { readonly fingerprint: string; readonly at: number }): Promise<KeyState> {
    return this.#writes.add(() => this.#answers.claim(place, asked), { forced: true })
  }

  keepAnswer(place: KeyPlace, answer: KeptAnswer): Promise<void> {
    return this.#writes.add(() => this.#answers.keep(place, answer))
  }

  /** Gives a claimed key back: nothing was done under it. */
  releaseKey(place: KeyPlace): Promise<void> {
    return this.#writes.add(() => this.#answers.release(place))
  }

  /** Forgets the keys that were claimed before an instant. @throws CallboardError `server.book` when it is closed */
  forgetKeys(before: number): void {
    if (this.#isClosed) {
      throw new CallboardError('server.book', 'the book of the server is closed; open one for every server', {})
    }
    this.#answers.forget(before)
  }

  /** Resolves once it is stored. */
  audit(record: AuditRecord): Promise<void> {
    return this.#writes.add(() => this.auditNow(record))
  }

  /** For those who cannot wait. */
  auditNow(record: AuditRecord): void {
    this.#sql('INSERT INTO audit (at, tenant, record) VALUES (?, ?, ?)').run(
      record.at,
      record.tenant,
      JSON.stringify(record),
    )
  }

  /** The audit records of a tenant after one, oldest first. */
  audited(
    tenant: string,
    { afterId, limit }: { readonly afterId: number; readonly limit: number },
  ): readonly (AuditRecord & { readonly id: number })[] {
    return this.#sql('SELECT id, record FROM audit WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?')
      .all(tenant, afterId, limit)
      .map((row) => ({ id: Number(row['id']), ...(JSON.parse(String(row['record'])) as AuditRecord) }))
  }

  /** How many audit records, of all tenants, `forgetAudit` would forget. */
  countAudit(before: number): number {
    return Number(this.#sql(`SELECT count(*) AS count FROM audit WHERE ${OLD_AUDIT}`).get(before)?.['count'])
  }

  /** Forgets the audit records, of all tenants, that are older than an instant; gives how many. */
  forgetAudit(before: number): number {
    return Number(this.#sql(`DELETE FROM audit WHERE ${OLD_AUDIT}`).run(before).changes)
  }

  /** Notes that commits to memory are free for one run until an instant, for whoever shows the token. */
  addMilestone(
    tenant: string,
    runId: string,
    milestone: { readonly token: string; readonly at: number; readonly expiresAt: number },
  ): void {
    this.#sql('DELETE FROM milestones WHERE expires_at <= ?').run(milestone.at)
    this.#sql('INSERT INTO milestones VALUES (?, ?, ?, ?)').run(
      tenant,
      runId,
      hashOf(milestone.token),
      milestone.expiresAt,
    )
  }

  isMilestone(tenant: string, runId: string, shown: { readonly token: string; readonly at: number }): boolean {
    const hash = hashOf(shown.token)
    return this.#sql('SELECT hash FROM milestones WHERE tenant = ? AND run_id = ? AND expires_at > ?')
      .all(tenant, runId, shown.at)
      .map((row) => isSameHash(row['hash'] as Uint8Array, hash))
      .includes(true)
  }

  /** On behalf of whom a run remembers. */
  readerOf(tenant: string, runId: string): { readonly user?: string; readonly project?: string } {
    const row = this.#sql('SELECT user, project FROM readers WHERE tenant = ? AND run_id = ?').get(tenant, runId)
    return {
      ...(typeof row?.['user'] === 'string' ? { user: row['user'] } : {}),
      ...(typeof row?.['project'] === 'string' ? { project: row['project'] } : {}),
    }
  }

  /** What is noted of a run's reader stays. */
  bindReader(
    tenant: string,
    runId: string,
    { user, project }: { readonly user?: string; readonly project?: string },
  ): void {
    this.#sql(
      `INSERT INTO readers VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
       SET user = coalesce(user, excluded.user), project = coalesce(project, excluded.project)`,
    ).run(tenant, runId, user ?? null, project ?? null)
  }

  /** Twice is harmless. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#writes.flush()
    this.#statements.clear()
    this.#db.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #sql(text: string): StatementSync {
    const known = this.#statements.get(text)
    if (known !== undefined) return known
    const made = this.#db.prepare(text)
    this.#statements.set(text, made)
    return made
  }
}

function isInForce({ revokedAt, expiresAt }: StoredToken, at: number): boolean {
  return revokedAt === undefined && (expiresAt === undefined || expiresAt > at)
}

function tokenOf(row: Readonly<Record<string, unknown>>): StoredToken {
  const { id, name, role, tenant, agent_type: type, agent_id: agentId } = row as Readonly<Record<string, string>>
  const instant = (field: string): number | undefined => (row[field] === null ? undefined : Number(row[field]))
  return Object.freeze({
    id: String(id),
    name: String(name),
    role: role as Role,
    tenant: String(tenant),
    agent: typeof type === 'string' ? { type, id: agentId ?? type } : undefined,
    createdAt: Number(row['created_at']),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
  })
}
