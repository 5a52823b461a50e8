// The typed arrays that a value may hold, by the names they are stored under.

type TypedArrayClass =
  | typeof Int8Array
  | typeof Uint8Array
  | typeof Uint8ClampedArray
  | typeof Int16Array
  | typeof Uint16Array
  | typeof Int32Array
  | typeof Uint32Array
  | typeof Float32Array
  | typeof Float64Array
  | typeof BigInt64Array
  | typeof BigUint64Array

export type TypedArray = InstanceType<TypedArrayClass>

// Node 24 has it, the library of es2024 does not know it.
const { Float16Array } = globalThis as unknown as { readonly Float16Array: typeof Float32Array }

export const TYPED_ARRAYS: ReadonlyMap<string, TypedArrayClass> = new Map<string, TypedArrayClass>(
  [
    Int8Array,
    Uint8Array,
    Uint8ClampedArray,
    Int16Array,
    Uint16Array,
    Int32Array,
    Uint32Array,
    Float16Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
  ].map((one) => [one.name, one]),
)
