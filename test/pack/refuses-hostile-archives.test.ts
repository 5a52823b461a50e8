// A pack that was not made to be unpacked is refused with the file and the rule, and leaves nothing: not in the store, not
// on the disk.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packRun, readPack, unpackRun } from 'callboard/pack'
import type { PackLimits, PackManifest } from 'callboard/pack'
import type { LedgerRecord } from 'callboard'
import { ledgerToJsonl, readJsonl } from '../../src/ledger/index.ts'
import { refusalOf } from '../runtime/world.ts'
import { freshFolder, openStore, runChild } from '../store/world.ts'
import { makeJourney } from './world.ts'
import { zipByHand } from './zip-by-hand.ts'
import type { HandMade } from './zip-by-hand.ts'

const MANIFEST = 'manifest.v2.1.json'
const LEDGER = 'ledger/callboard/run.jsonl'
const sha = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex')

/** The files of a pack that is as it should be. */
async function soundFiles(): Promise<Readonly<Record<string, string>>> {
  const { store } = await makeJourney([
    { kind: 'send', type: 'dig' },
    { kind: 'write', key: 'go', value: 1 },
  ])
  const read = await readPack((await packRun(store, 'journey')).bytes)
  if (read.kind !== 'full') throw new Error('the pack is not full')
  const files = [...read.files].map(([name, content]) => [name, Buffer.from(content).toString()] as const)
  return { ...Object.fromEntries(files), [MANIFEST]: JSON.stringify(read.manifest) }
}

const sound = await soundFiles()
const handMade = (files: Readonly<Record<string, string>> = sound): readonly HandMade[] =>
  Object.entries(files).map(([name, content]) => ({ name, content }))

/** The sound files with another manifest. */
function withManifest(change: (manifest: PackManifest) => object): Readonly<Record<string, string>> {
  return { ...sound, [MANIFEST]: JSON.stringify(change(JSON.parse(sound[MANIFEST]!) as PackManifest)) }
}

/** The sound files with one more, listed in the manifest. */
const withListed = (name: string, content = 'x'): Readonly<Record<string, string>> => ({
  ...withManifest((manifest) => ({ ...manifest, files: { ...manifest.files, [name]: sha(content) } })),
  [name]: content,
})

/** The sound files with another ledger, whose hash is right. */
function withLedger(change: (text: string) => string): Readonly<Record<string, string>> {
  const text = change(sound[LEDGER]!)
  const files = withManifest((manifest) => ({ ...manifest, files: { ...manifest.files, [LEDGER]: sha(text) } }))
  return { ...files, [LEDGER]: text }
}

const pointing = (pointers: object): Readonly<Record<string, string>> =>
  withManifest((manifest) => ({ ...manifest, pointers: { ...manifest.pointers, ...pointers } }))

/** The sound archive in which one file is another. */
const oneOther = (name: string, change: Partial<HandMade>): Buffer =>
  zipByHand(handMade().map((file) => (file.name === name ? { ...file, ...change } : file)))

const whole = zipByHand(handMade())
const zeros = (count: number): Uint8Array => new Uint8Array(count)

const { runs = [] } = (JSON.parse(sound[MANIFEST]!) as PackManifest).pointers

/** A ledger of other records, with a chain and a seal that fit. */
function madeUp(text: string, change: (record: LedgerRecord) => LedgerRecord): string {
  const { header, records } = readJsonl(text)
  return ledgerToJsonl(header.runId, records.map(change), { run: header.run! })
}

const withoutChildren = (record: LedgerRecord): LedgerRecord =>
  record.machine === undefined
    ? record
    : { ...record, machine: { ...record.machine, persisted: { children: { walker: null } } } }

interface Attack {
  readonly bytes: Uint8Array
  readonly code: string
  /** In the details of the error. */
  readonly says: Readonly<Record<string, unknown>>
  readonly limits?: Partial<PackLimits>
}

const path = (name: string, rule: string): Attack => ({
  bytes: zipByHand([...handMade(), { name, content: 'evil' }]),
  code: 'pack.path',
  says: { file: name, rule },
})

const ATTACKS: Readonly<Record<string, Attack>> = {
  'a way out of the folder': path('../evil.txt', 'traversal'),
  'a way out further in': path('state/../../evil.txt', 'traversal'),
  'an absolute path': path('/etc/evil', 'absolute'),
  'a drive': path('C:/evil', 'absolute'),
  'a path with backslashes': path('..\\evil.txt', 'backslash'),
  'a path that is not canonical': path('state//evil', 'not-canonical'),
  'a path that means the folder itself': path('state/./evil', 'not-canonical'),
  'a name with a line feed': path('state/e\nvil', 'characters'),
  'a name with a NUL': path('state/e\u0000vil', 'characters'),
  'a name that reads backwards': path('state/\u202egnp.exe', 'characters'),
  'a name without end': path(`state/${'a'.repeat(300)}`, 'length'),
  'a name that is empty': path('', 'empty'),
  'a symbolic link': {
    bytes: zipByHand([...handMade(), { name: 'state/link', content: '/etc/passwd', mode: 0o120777 }]),
    code: 'pack.link',
    says: { file: 'state/link', rule: 'plain-file' },
  },
  'a link in the place of a listed file': {
    bytes: oneOther(LEDGER, { mode: 0o120777 }),
    code: 'pack.link',
    says: { file: LEDGER },
  },
  'a device': {
    bytes: zipByHand([...handMade(), { name: 'state/device', mode: 0o060600 }]),
    code: 'pack.link',
    says: { file: 'state/device' },
  },
  'a name twice': {
    bytes: zipByHand([...handMade(), { name: LEDGER, content: 'another' }]),
    code: 'pack.duplicate',
    says: { file: LEDGER, rule: 'once' },
  },
  'a name twice, in other letter case': {
    bytes: zipByHand([...handMade(), { name: LEDGER.toUpperCase() }]),
    code: 'pack.duplicate',
    says: { file: LEDGER.toUpperCase() },
  },
  'two manifests': {
    bytes: zipByHand([...handMade(), { name: MANIFEST, content: '{}' }]),
    code: 'pack.duplicate',
    says: { file: MANIFEST },
  },
  'a bomb by size': {
    bytes: zipByHand(handMade(withListed('state/big', 'b'.repeat(60_000)))),
    code: 'pack.too-large',
    says: { rule: 'maxBytes', limit: 50_000 },
    limits: { maxBytes: 50_000 },
  },
  'a bomb by the size of many': {
    bytes: zipByHand([
      ...handMade(),
      ...Array.from({ length: 30 }, (_, index) => ({ name: `state/${index}`, content: zeros(10_000_000) })),
    ]),
    code: 'pack.too-large',
    says: { rule: 'maxBytes' },
  },
  'a bomb by ratio': {
    bytes: zipByHand([...handMade(), { name: 'state/zeros', content: zeros(20_000_000) }]),
    code: 'pack.too-large',
    says: { rule: 'maxRatio', limit: 200 },
  },
  'a bomb by count': {
    bytes: zipByHand([...handMade(), ...Array.from({ length: 1_000 }, (_, index) => ({ name: `state/${index}` }))]),
    code: 'pack.too-large',
    says: { rule: 'maxFiles', limit: 1_000 },
  },
  'an archive that is too large': {
    bytes: whole,
    code: 'pack.too-large',
    says: { rule: 'maxArchiveBytes' },
    limits: { maxArchiveBytes: 1_000 },
  },
  'a file that has more than it claims': {
    bytes: oneOther(LEDGER, { size: 10 }),
    code: 'pack.damaged',
    says: { file: LEDGER, rule: 'size' },
  },
  'a file that has less than it claims': {
    bytes: oneOther(LEDGER, { size: 100_000 }),
    code: 'pack.damaged',
    says: { file: LEDGER, rule: 'size' },
  },
  'a wrong CRC': { bytes: oneOther(LEDGER, { crc: 1 }), code: 'pack.damaged', says: { file: LEDGER, rule: 'crc' } },
  'a file that is cut off': {
    bytes: oneOther(LEDGER, { cutTo: 100 }),
    code: 'pack.damaged',
    says: { file: LEDGER, rule: 'data' },
  },
  'an encrypted file': {
    bytes: oneOther(LEDGER, { flags: 1 }),
    code: 'pack.unsupported',
    says: { file: LEDGER, rule: 'encryption' },
  },
  'a compression of another kind': {
    bytes: oneOther(LEDGER, { method: 12 }),
    code: 'pack.unsupported',
    says: { file: LEDGER, rule: 'compression' },
  },
  'an archive that claims more files than it has': {
    bytes: zipByHand(handMade(), { claims: 20 }),
    code: 'pack.not-an-archive',
    says: { rule: 'archive' },
  },
  'an archive that is cut off': {
    bytes: whole.subarray(0, -30),
    code: 'pack.not-an-archive',
    says: { rule: 'archive' },
  },
  'half an archive': {
    bytes: whole.subarray(whole.length / 2),
    code: 'pack.not-an-archive',
    says: { rule: 'archive' },
  },
  'no archive': { bytes: Buffer.from('hello'), code: 'pack.not-an-archive', says: { rule: 'archive' } },
  nothing: { bytes: new Uint8Array(0), code: 'pack.not-an-archive', says: { rule: 'archive' } },
  'a wrong hash': {
    bytes: zipByHand(handMade({ ...sound, [LEDGER]: `${sound[LEDGER]} ` })),
    code: 'pack.hash',
    says: { file: LEDGER, rule: 'sha256', expected: sha(sound[LEDGER]!), actual: sha(`${sound[LEDGER]} `) },
  },
  'a file that is not there': {
    bytes: zipByHand(handMade().filter(({ name }) => name !== LEDGER)),
    code: 'pack.missing',
    says: { file: LEDGER, rule: 'present' },
  },
  'a file that is not listed': {
    bytes: zipByHand([...handMade(), { name: 'state/run-me.js', content: 'process.exit(1)' }]),
    code: 'pack.unlisted',
    says: { file: 'state/run-me.js', rule: 'listed' },
  },
  'a manifest that names a file outside': {
    bytes: zipByHand(
      handMade(withManifest((manifest) => ({ ...manifest, files: { ...manifest.files, '../outside': sha('x') } }))),
    ),
    code: 'pack.path',
    says: { file: '../outside', rule: 'traversal' },
  },
  'a manifest that points outside': {
    bytes: zipByHand(handMade(pointing({ working_set: '/etc/passwd' }))),
    code: 'pack.path',
    says: { file: '/etc/passwd', rule: 'absolute' },
  },
  'a manifest that points to a file that is not listed': {
    bytes: zipByHand(handMade(pointing({ ledger: 'ledger/other.jsonl' }))),
    code: 'pack.manifest',
    says: { file: MANIFEST },
  },
  'a manifest that is no JSON': {
    bytes: zipByHand(handMade({ ...sound, [MANIFEST]: '{' })),
    code: 'pack.manifest',
    says: { file: MANIFEST },
  },
  'a manifest with something else in it': {
    bytes: zipByHand(handMade(withManifest((manifest) => ({ ...manifest, run: 'me' })))),
    code: 'pack.manifest',
    says: { file: MANIFEST },
  },
  'a manifest of another engine': {
    bytes: zipByHand(handMade(withManifest((manifest) => ({ ...manifest, compatible_engine_versions: ['other/9'] })))),
    code: 'pack.incompatible',
    says: { file: MANIFEST, found: ['other/9'], known: ['callboard-pack/1'] },
  },
  'a manifest without ledgers': {
    bytes: zipByHand(handMade(pointing({ runs: undefined }))),
    code: 'pack.manifest',
    says: { file: MANIFEST },
  },
  'no manifest': {
    bytes: zipByHand(handMade().filter(({ name }) => name !== MANIFEST)),
    code: 'pack.manifest',
    says: { file: MANIFEST },
  },
  'a ledger that was changed, with a hash to match': {
    bytes: zipByHand(handMade(withLedger((text) => text.replace('a walk', 'a talk')))),
    code: 'pack.content',
    says: { file: LEDGER },
  },
  'a ledger that is cut off, with a hash to match': {
    bytes: zipByHand(handMade(withLedger((text) => text.slice(0, -20)))),
    code: 'pack.content',
    says: { file: LEDGER },
  },
  'a ledger that is no text': {
    bytes: zipByHand(handMade(withLedger(() => 'nothing\n'))),
    code: 'pack.content',
    says: { file: LEDGER },
  },
  'the ledger of another run': {
    bytes: zipByHand(handMade(pointing({ run_id: 'somebody-else' }))),
    code: 'pack.manifest',
    says: { file: MANIFEST },
  },
  'ledgers of which none is below the run': {
    bytes: zipByHand(handMade(pointing({ run_id: 'journey.below.3', runs: runs.toReversed() }))),
    code: 'pack.manifest',
    says: { file: MANIFEST },
  },
  'a ledger twice': {
    bytes: zipByHand(handMade(pointing({ runs: [...runs, ...runs.slice(1)] }))),
    code: 'pack.manifest',
    says: { file: MANIFEST },
  },
  'a ledger that ends elsewhere': {
    bytes: zipByHand(handMade(pointing({ runs: runs.map((run) => ({ ...run, last_seq: 1 })) }))),
    code: 'pack.content',
    says: { file: LEDGER },
  },
  'a ledger that was made up, sealed as it should be, with a step that is none': {
    bytes: zipByHand(
      handMade(
        withLedger((text) => madeUp(text, (record) => (record.kind === 'step' ? { ...record, asked: null } : record))),
      ),
    ),
    code: 'pack.content',
    says: { file: LEDGER },
  },
  'a ledger that was made up, sealed as it should be, with a machine that is none': {
    bytes: zipByHand(handMade(withLedger((text) => madeUp(text, withoutChildren)))),
    code: 'pack.content',
    says: { file: LEDGER },
  },
}

describe('a pack is refused, and leaves nothing, that holds', () => {
  it.each(Object.entries(ATTACKS))('%s', async (_name, { bytes, code, says, limits = {} }) => {
    const folder = freshFolder()
    const file = join(folder, 'pack.zip')
    writeFileSync(file, bytes)
    // S4 removed what lay beside.
    mkdirSync(join(folder, 'pack'))
    writeFileSync(join(folder, 'pack', 'mine.txt'), 'mine')
    const store = await openStore(join(freshFolder(), 'runs.db'))
    const error = await refusalOf(unpackRun(store, file, { runId: 'victim', limits }))
    expect({ code: error.code, details: error.details }).toMatchObject({ code, details: says })
    expect(error.message).not.toMatch(/\p{C}/u)
    expect(await refusalOf(unpackRun(store, bytes, { limits }))).toMatchObject({ code })
    expect(await store.list()).toEqual([])
    expect(readdirSync(folder, { recursive: true }).sort()).toEqual(['pack', 'pack.zip', 'pack/mine.txt'])
    expect(readFileSync(file).equals(bytes)).toBe(true)
  })

  it('nothing wrong: the same files by hand are unpacked', async () => {
    const store = await openStore(join(freshFolder(), 'runs.db'))
    await unpackRun(store, whole, { runId: 'welcome' })
    expect((await store.list()).map(({ runId }) => runId)).toEqual(['welcome', 'welcome.below.3'])
  })

  it('a file that cannot be read', async () => {
    const folder = freshFolder()
    const store = await openStore(join(folder, 'runs.db'))
    for (const path of [join(folder, 'gone.zip'), folder])
      expect(await refusalOf(unpackRun(store, path))).toMatchObject({ code: 'pack.unreadable', details: { path } })
  })
})

describe('any byte of a pack', () => {
  it('that is another is noticed, or does not matter', { timeout: 300_000 }, async () => {
    const { store } = await makeJourney([])
    const { bytes } = await packRun(store, 'journey')
    const expected = await contentOf(bytes)
    let refused = 0
    for (let at = 0; at < bytes.length; at += 7) {
      const changed = Uint8Array.from(bytes)
      changed[at] = changed[at]! ^ (1 << (at % 8))
      const content = await contentOf(changed).catch((error: unknown) => {
        expect(String((error as { readonly code?: unknown }).code)).toMatch(/^pack\./)
        return undefined
      })
      if (content === undefined) refused += 1
      else expect(content).toEqual(expected)
    }
    expect(refused).toBeGreaterThan(100)
  })
})

async function contentOf(bytes: Uint8Array): Promise<unknown> {
  const { files } = await readPack(bytes)
  return [...files].map(([name, content]) => [name, sha(content)])
}

describe('the memory of whoever reads a bomb', () => {
  it('stays what it was, whether the bomb tells its size or not', async () => {
    const folder = freshFolder()
    const bomb = { name: 'state/zeros', content: zeros(200_000_000) }
    writeFileSync(join(folder, 'honest.zip'), zipByHand([...handMade(), bomb]))
    writeFileSync(
      join(folder, 'lying.zip'),
      zipByHand([
        ...handMade(withListed('state/zeros')).filter(({ name }) => name !== 'state/zeros'),
        { ...bomb, size: 1_000 },
      ]),
    )
    const child = runChild('../pack/bomb.child.ts', [join(folder, 'honest.zip'), join(folder, 'lying.zip')])
    expect(await child.ended).toBe(0)
    const [honest, lying] = child.lines.map((line) => JSON.parse(line) as { code: string; grownMib: number })
    expect(honest).toMatchObject({ code: 'pack.too-large' })
    expect(lying).toMatchObject({ code: 'pack.damaged' })
    expect(Math.max(honest!.grownMib, lying!.grownMib)).toBeLessThan(60)
  })
})
