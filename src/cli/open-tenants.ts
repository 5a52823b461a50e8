// Opens what the tenants of a server have. Those with a database are opened at the start, whether somebody asks for them or
// not: their runs go on too. The others, who have nothing yet, are opened when they first ask.
import type { House } from '../server/index.ts'
import { describeError } from './fail.ts'
import type { OpenedHouse } from './open-house.ts'
import { assertTenant, tenantFile, tenantsBeside } from './server-files.ts'
import type { Terminal } from './terminal.ts'
import { visibleText } from './visible-text.ts'

export interface TenantsOptions {
  readonly terminal: Terminal
  /** The database of the tenant `default`. */
  readonly db: string
  readonly open: (file: string) => Promise<OpenedHouse>
}

export class Tenants {
  readonly #options: TenantsOptions
  readonly #opened: OpenedHouse[] = []
  readonly #houses = new Map<string, House>()

  constructor(options: TenantsOptions) {
    this.#options = options
  }

  /** What the tenant `default` has. */
  async openDefault(): Promise<House> {
    return (await this.#open(this.#options.db, '')).house
  }

  /** A tenant whose database cannot be opened is told of; the others go on. */
  async openAll(): Promise<void> {
    const { db, terminal } = this.#options
    for (const tenant of tenantsBeside(db, terminal.cwd)) {
      try {
        this.#houses.set(tenant, await this.#openTenant(tenant))
      } catch (error) {
        this.#tell(error, `tenant ${tenant} is left alone`)
      }
    }
  }

  /** What a tenant has; called once per tenant, and again when it failed. */
  async find(tenant: string): Promise<House> {
    return this.#houses.get(tenant) ?? this.#openTenant(tenant)
  }

  async close(): Promise<void> {
    for (const house of this.#opened.splice(0).toReversed()) await house.close()
  }

  async #openTenant(tenant: string): Promise<House> {
    return (await this.#open(tenantFile(this.#options.db, assertTenant(tenant)), ` of tenant ${tenant}`)).house
  }

  async #open(file: string, whose: string): Promise<OpenedHouse> {
    const opened = await this.#options.open(file)
    this.#opened.push(opened)
    for (const { runId, error } of opened.failures) this.#tell(error, `run ${runId}${whose} is left alone`)
    return opened
  }

  #tell(error: unknown, what: string): void {
    this.#options.terminal.err.write(`${visibleText(what)}: ${describeError(error).message}\n`)
  }
}
