// Canonical JSON: one text for one value, whatever order its keys and items were made in. Kinds that JSON does not know
// are written as `{"$type": …}`; an object that has a key `$type` of its own is escaped, so nothing is ambiguous.
import { Buffer } from 'node:buffer'
import { CallboardError } from './error.ts'
import { TYPED_ARRAYS } from './typed-array.ts'
import { setOwn } from './value.ts'

/** Turns an admitted value into data that `JSON.stringify` writes without loss; `fromTagged` is its inverse. */
export function toTagged(value: unknown): unknown {
  if (typeof value === 'bigint') return { $type: 'bigint', value: String(value) }
  if (Object.is(value, -0)) return { $type: '-0' }
  if (typeof value === 'number' && !Number.isFinite(value)) return { $type: 'number', value: String(value) }
  if (value === undefined) return { $type: 'undefined' }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(toTagged)
  if (value instanceof Date) return { $type: 'Date', value: value.toISOString() }
  if (value instanceof Map) {
    return { $type: 'Map', value: Array.from(value, ([key, item]) => [toTagged(key), toTagged(item)]) }
  }
  if (value instanceof Set) return { $type: 'Set', value: Array.from(value, toTagged) }
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return { $type: value.constructor.name, value: bytes.toString('base64') }
  }
  const plain: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(value)) setOwn(plain, key, toTagged(item))
  return Object.hasOwn(value, '$type') ? { $type: 'object', value: plain } : plain
}

/**
 * The inverse of `toTagged`.
 *
 * @throws CallboardError `value.unknown-tag` when a tag was written by something else, `value.malformed` for a text that
 *   stands for no value of its tag, or is not the one that was written
 */
export function fromTagged(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(fromTagged)
  const record = value as Record<string, unknown>
  if (!Object.hasOwn(record, '$type')) return fromPlain(record)
  const { $type: tag, value: content } = record
  switch (tag) {
    case 'bigint':
      return strictly(tag, content, BigInt)
    case '-0':
      return -0
    case 'number':
      return strictly(tag, content, Number)
    case 'undefined':
      return undefined
    case 'Date':
      return strictly(tag, content, (text) => new Date(text))
    case 'Map':
      return new Map(listIn(tag, content).map((pair) => pairOf(pair)))
    case 'Set':
      return new Set(listIn(tag, content).map(fromTagged))
    case 'object':
      if (typeof content !== 'object' || content === null || Array.isArray(content)) throw malformed(tag)
      return fromPlain(content as Record<string, unknown>)
    default:
      return fromBytes(String(tag), content)
  }
}

function listIn(tag: string, content: unknown): readonly unknown[] {
  if (Array.isArray(content)) return content
  throw malformed(tag)
}

function pairOf(pair: unknown): [unknown, unknown] {
  if (!Array.isArray(pair) || pair.length !== 2) throw malformed('Map')
  return [fromTagged(pair[0]), fromTagged(pair[1])]
}

function fromPlain(record: Record<string, unknown>): Record<string, unknown> {
  const plain: Record<string, unknown> = {}
  for (const [key, item] of Object.entries(record)) setOwn(plain, key, fromTagged(item))
  return plain
}

function fromBytes(name: string, content: unknown): unknown {
  const kind = TYPED_ARRAYS.get(name)
  if (kind === undefined || typeof content !== 'string') {
    throw new CallboardError(
      'value.unknown-tag',
      `a stored value has the unknown tag "${name}"; it was not written by this version`,
    )
  }
  return strictly(name, content, (text) => {
    const bytes = Buffer.from(text, 'base64')
    return new kind(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
  })
}

/** Takes nothing but what `toTagged` writes: what reads the same and is another text has been changed. */
function strictly<Value>(name: string, content: unknown, read: (text: string) => Value): Value {
  let value: Value | undefined
  try {
    value = read(content as string)
    if (typeof content === 'string' && (toTagged(value) as { readonly value?: unknown }).value === content) return value
  } catch {
    // Told below.
  }
  throw malformed(name)
}

function malformed(name: string): CallboardError {
  return new CallboardError('value.malformed', `a stored value of the type ${name} is not as it was written`)
}

/** Canonical JSON text: keys sorted by code unit, no white space. The order of Map and Set items is part of the value. */
export function canonicalJson(value: unknown): string {
  return stringifySorted(toTagged(value))
}

function stringifySorted(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stringifySorted).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const record = value as Record<string, unknown>
  const parts = Object.keys(record)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${stringifySorted(record[key])}`)
  return `{${parts.join(',')}}`
}
