// ZIP archives as nobody should make them: every field may be a lie.
import { crc32, deflateRawSync } from 'node:zlib'

export interface HandMade {
  readonly name: string
  readonly content?: string | Uint8Array
  /** 8, deflated, unless given. */
  readonly method?: number
  readonly crc?: number
  /** How many bytes it claims to have. */
  readonly size?: number
  readonly flags?: number
  /** Kind and rights as Unix has them; those of a plain file unless given. */
  readonly mode?: number
  /** The compressed bytes are cut off after so many. */
  readonly cutTo?: number
}

const LOCAL = 0x04034b50
const CENTRAL = 0x02014b50
const END = 0x06054b50
const UNIX = 3 << 8

export function zipByHand(
  files: readonly HandMade[],
  { claims = files.length }: { readonly claims?: number } = {},
): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const file of files) {
    const { name, content = '', method = 8, flags = 0, mode = 0o100600 } = file
    const bytes = Buffer.from(content as string)
    const packed = method === 8 ? deflateRawSync(bytes) : bytes
    const data = packed.subarray(0, file.cutTo ?? packed.length)
    const rawName = Buffer.from(name)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(flags, 2)
    common.writeUInt16LE(method, 4)
    common.writeUInt32LE(file.crc ?? crc32(bytes), 10)
    common.writeUInt32LE(data.length, 14)
    common.writeUInt32LE(file.size ?? bytes.length, 18)
    common.writeUInt16LE(rawName.length, 22)
    const local = Buffer.concat([uint32(LOCAL), common, rawName, data])
    const tail = Buffer.alloc(14)
    tail.writeUInt32LE((mode << 16) >>> 0, 6)
    tail.writeUInt32LE(offset, 10)
    const made = Buffer.alloc(2)
    made.writeUInt16LE(UNIX | 20)
    directory.push(Buffer.concat([uint32(CENTRAL), made, common, tail, rawName]))
    locals.push(local)
    offset += local.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(claims, 4)
  end.writeUInt16LE(claims, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...locals, central, uint32(END), end])
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
