// Server files: what a server keeps beside a database. The database is that of the tenant `default`; every other tenant
// has a folder of its own, so that nothing of one can get into another.
import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { CallboardError } from '../base/index.ts'

/** Tokens, idempotency keys and audit records of all tenants. */
export function bookFile(db: string, cwd: string): string {
  return beside(resolve(cwd, db), 'server')
}

/** What is remembered beside a database. */
export function memoryFile(db: string): string {
  return beside(db, 'memory')
}

/** The folder in which AoS clients find packs. */
export function packFolder(db: string): string {
  const { folder, name } = partsOf(db)
  return join(folder, `${name}-packs`)
}

/** The database of a tenant. */
export function tenantFile(db: string, tenant: string): string {
  const { folder, name } = partsOf(db)
  return join(folder, `${name}-tenants`, tenant, basename(db))
}

/** The tenants that have a database, in the order of their names. */
export function tenantsBeside(db: string, cwd: string): readonly string[] {
  const file = resolve(cwd, db)
  const { folder, name } = partsOf(file)
  const tenants = join(folder, `${name}-tenants`)
  if (!existsSync(tenants)) return []
  return readdirSync(tenants)
    .filter((tenant) => TENANT.test(tenant) && existsSync(tenantFile(file, tenant)))
    .toSorted()
}

const TENANT = /^[a-z0-9][a-z0-9-]{0,62}$/

/** A tenant's name is a folder's: small letters, digits and -. @throws CallboardError `cli.tenant` */
export function assertTenant(tenant: string): string {
  if (TENANT.test(tenant)) return tenant
  const message = `"${tenant}" is no name of a tenant; it has small letters, digits and -, at most 63`
  throw new CallboardError('cli.tenant', message, { tenant })
}

function beside(db: string, what: string): string {
  const { folder, name, extension } = partsOf(db)
  return join(folder, `${name}.${what}${extension}`)
}

function partsOf(db: string): { readonly folder: string; readonly name: string; readonly extension: string } {
  const extension = extname(db)
  return { folder: dirname(db), name: basename(db, extension), extension }
}
