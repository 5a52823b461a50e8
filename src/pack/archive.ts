// Archive: the files of a ZIP, for those who do not trust it. Nothing is ever written to a disk.
//   A1. Names, kinds, count and claimed sizes of all files are judged before the first byte of one is taken out.
//   A2. No file gives more bytes than it claims, nor all of them together more than is allowed.
//   A3. What is handed out has the checksum that the archive says.
import { open } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { zipSync } from 'fflate'
import type { Zippable } from 'fflate'
import { fromBufferPromise } from 'yauzl'
import type { Entry, ZipFile } from 'yauzl'
import { isCallboardError } from '../base/index.ts'
import { PACK_LIMITS, RATIO_FLOOR } from './limits.ts'
import type { PackLimits } from './limits.ts'
import {
  damagedFileError,
  duplicateError,
  linkError,
  notAnArchiveError,
  pathError,
  tooLargeError,
  unreadableError,
  unsupportedError,
} from './pack-errors.ts'
import { pathProblem } from './pack-path.ts'

/** The bytes of a pack, or the path of its file. */
export type PackSource = Uint8Array | string

export interface Archive {
  /** The paths of its files. */
  readonly names: readonly string[]
  /** How many bytes a file claims to have. */
  sizeOf(name: string): number
  /** @throws CallboardError `pack.damaged` */
  read(name: string): Promise<Buffer>
}

/** @throws CallboardError `pack.unreadable`, `pack.not-an-archive`, and what its files break: see docs/packs.md */
export async function openArchive(source: PackSource, asked: Partial<PackLimits> = {}): Promise<Archive> {
  const limits = { ...PACK_LIMITS, ...asked }
  const bytes = typeof source === 'string' ? await readFileWithin(source, limits) : source
  if (bytes.length > limits.maxArchiveBytes)
    throw tooLargeError('maxArchiveBytes', limits.maxArchiveBytes, bytes.length)
  const zip = await openZip(bytes)
  const entries = await readDirectory(zip, bytes.length, limits)
  const entryOf = (name: string): Entry => {
    const entry = entries.get(name)
    if (entry === undefined) throw new TypeError(`there is no file ${name}; look at names`)
    return entry
  }
  return {
    names: [...entries.keys()],
    sizeOf: (name) => entryOf(name).uncompressedSize,
    read: (name) => inflate(zip, name, entryOf(name)),
  }
}

async function readFileWithin(path: string, { maxArchiveBytes }: PackLimits): Promise<Buffer> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    if (size > maxArchiveBytes) throw tooLargeError('maxArchiveBytes', maxArchiveBytes, size)
    return await file.readFile()
  } catch (error) {
    throw isCallboardError(error) ? error : unreadableError(path, error)
  }
}

async function openZip(bytes: Uint8Array): Promise<ZipFile> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  try {
    // Names are judged here, as bytes: what is decoded and judged elsewhere might be another name.
    return await fromBufferPromise(buffer, { lazyEntries: true, decodeStrings: false })
  } catch (error) {
    throw notAnArchiveError(messageOf(error), error)
  }
}

/** All files, judged (A1). */
async function readDirectory(zip: ZipFile, size: number, limits: PackLimits): Promise<ReadonlyMap<string, Entry>> {
  const { maxFiles, maxBytes, maxRatio } = limits
  if (zip.entryCount > maxFiles) throw tooLargeError('maxFiles', maxFiles, zip.entryCount)
  const files = new Map<string, Entry>()
  const seen = new Set<string>()
  let total = 0
  try {
    for await (const entry of zip.eachEntry()) {
      const name = nameOf(entry)
      const isFolder = name.endsWith('/')
      judge(isFolder ? name.slice(0, -1) : name, entry, isFolder)
      const folded = name.toLowerCase()
      if (seen.has(folded)) throw duplicateError(name)
      seen.add(folded)
      total += entry.uncompressedSize
      if (total > maxBytes) throw tooLargeError('maxBytes', maxBytes, total)
      if (!isFolder) files.set(name, entry)
    }
  } catch (error) {
    throw isCallboardError(error) ? error : notAnArchiveError(messageOf(error), error)
  }
  if (total > RATIO_FLOOR && total > size * maxRatio) throw tooLargeError('maxRatio', maxRatio, Math.ceil(total / size))
  return files
}

function nameOf({ fileNameRaw }: Entry): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(fileNameRaw)
  } catch {
    throw pathError(fileNameRaw.toString('latin1'), 'characters')
  }
}

const STORED = 0
const DEFLATED = 8
const KIND_BITS = 0xf000
const PLAIN_FILE = 0x8000
const FOLDER = 0x4000

function judge(name: string, entry: Entry, isFolder: boolean): void {
  const rule = pathProblem(name)
  if (rule !== undefined) throw pathError(name, rule)
  // Where the archive was made on a system without such kinds, there is none.
  const kind = (entry.externalFileAttributes >>> 16) & KIND_BITS
  if (kind !== 0 && kind !== (isFolder ? FOLDER : PLAIN_FILE)) throw linkError(name)
  if (entry.isEncrypted()) throw unsupportedError(name, 'encryption')
  if (entry.compressionMethod !== STORED && entry.compressionMethod !== DEFLATED)
    throw unsupportedError(name, 'compression')
  if (isFolder && entry.uncompressedSize > 0) throw damagedFileError(name, 'size')
}

/** The bytes of a file, as many as it claims (A2), if they are what was packed (A3). */
async function inflate(zip: ZipFile, name: string, entry: Entry): Promise<Buffer> {
  const { uncompressedSize } = entry
  const chunks: Buffer[] = []
  let size = 0
  let sum = 0
  try {
    const stream = await zip.openReadStreamPromise(entry)
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > uncompressedSize) throw damagedFileError(name, 'size')
      sum = crc32(chunk, sum)
      chunks.push(chunk)
    }
  } catch (error) {
    if (isCallboardError(error)) throw error
    throw damagedFileError(name, /bytes in the stream/.test(messageOf(error)) ? 'size' : 'data', error)
  }
  if (size !== uncompressedSize) throw damagedFileError(name, 'size')
  if (sum !== entry.crc32) throw damagedFileError(name, 'crc')
  return Buffer.concat(chunks, size)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Files by path. */
export type PackFiles = Readonly<Record<string, string | Uint8Array>>

const OWN_EYES = (0o100600 << 16) >>> 0
const UNIX = 3
const EARLIEST_YEAR = 1980
/** What is packed more tightly than this is stored as it is: nobody who reads it is to take it for a bomb. */
const TIGHTEST = 100

/** A ZIP of these files: the same bytes for the same files, whenever and wherever it is made. */
export function createArchive(files: PackFiles): Uint8Array {
  const zippable: Zippable = {}
  for (const path of Object.keys(files).sort()) {
    const rule = pathProblem(path)
    if (rule !== undefined) throw pathError(path, rule)
    const content = files[path] ?? ''
    zippable[path] = [typeof content === 'string' ? Buffer.from(content) : content, {}]
  }
  // The earliest instant a ZIP can say. It knows no time zones: this one reads the same in each.
  const mtime = new Date(EARLIEST_YEAR, 0, 1)
  const options = { mtime, os: UNIX, attrs: OWN_EYES }
  const total = Object.values(files).reduce((sum, content) => sum + Buffer.byteLength(content), 0)
  const packed = zipSync(zippable, options)
  return total > RATIO_FLOOR && total > packed.length * TIGHTEST ? zipSync(zippable, { ...options, level: 0 }) : packed
}
