// Reading a pack: everything in it is checked before anybody sees any of it.
import { openArchive } from './archive.ts'
import type { Archive, PackSource } from './archive.ts'
import type { PackLimits } from './limits.ts'
import { MANIFEST_FILE, parseManifest, sha256 } from './manifest.ts'
import type { PackManifest } from './manifest.ts'
import { contentError, hashError, manifestError, missingError, tooLargeError, unlistedError } from './pack-errors.ts'

/** S4's simple pack. */
export const WORKING_SET_FILE = 'working_set.json'
export const RUN_LEDGER_FILE = 'run.jsonl'

/** A pack that was read, as what it says it is. */
export type ReadPack =
  | { readonly kind: 'full'; readonly manifest: PackManifest; readonly files: ReadonlyMap<string, Uint8Array> }
  /** A working set, and its ledger where there was one. */
  | { readonly kind: 'simple'; readonly files: ReadonlyMap<string, Uint8Array> }

const MOST_MANIFEST_BYTES = 4 * 1_048_576

/**
 * The files of a pack, all of them listed, hashed and within the limits.
 *
 * @throws CallboardError `pack.…` naming the file and the rule: see docs/packs.md
 */
export async function readPack(source: PackSource, limits: Partial<PackLimits> = {}): Promise<ReadPack> {
  const archive = await openArchive(source, limits)
  return archive.names.includes(MANIFEST_FILE) ? readFull(archive) : readSimple(archive)
}

async function readFull(archive: Archive): Promise<ReadPack> {
  const manifest = parseManifest(textOf(MANIFEST_FILE, await readManifestFile(archive)))
  const listed = Object.entries(manifest.files)
  const names = new Set(archive.names)
  const missing = listed.find(([file]) => !names.has(file))
  if (missing !== undefined) throw missingError(missing[0])
  const unlisted = archive.names.find((name) => name !== MANIFEST_FILE && !Object.hasOwn(manifest.files, name))
  if (unlisted !== undefined) throw unlistedError(unlisted)
  const files = new Map<string, Uint8Array>()
  for (const [file, expected] of listed) {
    const content = await archive.read(file)
    const actual = sha256(content)
    if (actual !== expected) throw hashError(file, expected, actual)
    files.set(file, content)
  }
  return { kind: 'full', manifest, files }
}

async function readManifestFile(archive: Archive): Promise<Uint8Array> {
  const size = archive.sizeOf(MANIFEST_FILE)
  if (size > MOST_MANIFEST_BYTES) throw tooLargeError('maxBytes', MOST_MANIFEST_BYTES, size)
  return archive.read(MANIFEST_FILE)
}

async function readSimple(archive: Archive): Promise<ReadPack> {
  if (!archive.names.includes(WORKING_SET_FILE))
    throw manifestError(MANIFEST_FILE, `there is none, nor a ${WORKING_SET_FILE}: this is no resume pack`)
  const unlisted = archive.names.find((name) => name !== WORKING_SET_FILE && name !== RUN_LEDGER_FILE)
  if (unlisted !== undefined) throw unlistedError(unlisted)
  const files = new Map<string, Uint8Array>()
  for (const name of archive.names) files.set(name, await archive.read(name))
  return { kind: 'simple', files }
}

/** The content of a file as text. @throws CallboardError `pack.content` */
export function textOf(file: string, content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content)
  } catch (error) {
    throw contentError(file, 'it is not UTF-8', error)
  }
}
