/** How much a pack may ask of whoever reads it. */
export interface PackLimits {
  /** Bytes of the archive; 128 MiB unless given. */
  readonly maxArchiveBytes: number
  /** Bytes of all files in it, taken out; 256 MiB unless given. */
  readonly maxBytes: number
  /** Files and folders in it; 1,000 unless given. */
  readonly maxFiles: number
  /** How many times larger than the archive its files may be, beyond the first mebibyte; 200 unless given. */
  readonly maxRatio: number
}

const MIB = 1_048_576

/** So little may be packed as tightly as it can be. */
export const RATIO_FLOOR: number = MIB

export const PACK_LIMITS: PackLimits = Object.freeze({
  maxArchiveBytes: 128 * MIB,
  maxBytes: 256 * MIB,
  maxFiles: 1_000,
  maxRatio: 200,
})
