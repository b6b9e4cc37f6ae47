import { certain } from '../../common/certain.ts'
import { decodeIP, encodeIP } from './ip-address.ts'

/**
 * The layout of values in a netlink message: a struct, then attributes of length, type and value (netlink(7)). The tables
 * that use these formats (rtnetlink-messages.ts) give the TypeScript types, the encoding and the decoding at once.
 * Numbers are in the machine's byte order, which is little-endian on both of our architectures; addresses are in network order.
 */
interface Format<T> {
  encode(value: T): Buffer
  decode(bytes: Buffer): T
}
interface Integer extends Format<number> {
  size: number
}

const integer = (size: number): Integer => ({
  size,
  encode: value => {
    const bytes = Buffer.alloc(size)
    bytes.writeUIntLE(value, 0, size)
    return bytes
  },
  decode: bytes => bytes.readUIntLE(0, size),
})
const integers = {
  u8: integer(1),
  u16: integer(2),
  u32: integer(4),
  i32: { ...integer(4), decode: (bytes: Buffer) => bytes.readInt32LE() }, // sent only as an interface's index
  u64: { ...integer(8), decode: (bytes: Buffer) => Number(bytes.readBigUInt64LE()) }, // counters, only ever read
}

const formats = {
  u8: integers.u8,
  u32: integers.u32,
  i32: integers.i32,
  string: {
    encode: (text: string) => Buffer.from(text + '\0'),
    decode: (bytes: Buffer) => bytes.toString().replace(/\0.*/s, ''),
  },
  mac: {
    encode: (mac: string) => Buffer.from(mac.replaceAll(':', ''), 'hex'),
    decode: (bytes: Buffer) => [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join(':'),
  },
  /** an IPv4 or IPv6 address, distinguished by its length */
  ip: { encode: encodeIP, decode: decodeIP },
  /** a struct, or data that only some links have */
  bytes: { encode: (bytes: Buffer) => bytes, decode: (bytes: Buffer) => bytes },
}
type Formats = typeof formats

/** The members of a struct in order; our structs have no padding except as members. */
export type Struct = Readonly<Record<string, keyof typeof integers>>
export type StructOf<S extends Struct> = { [Member in keyof S]: number }

/** Attributes by name: the number of each, and the format of its value or the table of the attributes nested in it. */
export interface Attributes {
  readonly [name: string]: readonly [type: number, format: keyof Formats | Attributes]
}
export type AttributesOf<A extends Attributes> = { -readonly [Name in keyof A]?: ValueOf<A[Name][1]> }
type ValueOf<K> = K extends keyof Formats
  ? ReturnType<Formats[K]['decode']>
  : K extends Attributes
    ? AttributesOf<K>
    : never

/** A struct as bytes; members left out are 0. */
export function encodeStruct<S extends Struct>(struct: S, values: Partial<StructOf<S>>): Buffer {
  return Buffer.concat(
    Object.entries(struct).map(([name, format]) => integers[format].encode(values[name] ?? 0)),
  )
}

export function decodeStruct<S extends Struct>(struct: S, bytes: Buffer): StructOf<S> {
  let offset = 0
  const members = Object.entries(struct).map(([name, format]) => {
    const { size, decode } = integers[format]
    offset += size
    return [name, decode(bytes.subarray(offset - size, offset))]
  })
  return Object.fromEntries(members) as StructOf<S>
}

/** The size of a struct, in bytes. */
export function sizeOf(struct: Struct): number {
  return Object.values(struct).reduce((sum, format) => sum + integers[format].size, 0)
}

// struct nlattr; a flag in the type says that attributes are nested in the value: linux/netlink.h
const nlattr = { nla_len: 'u16', nla_type: 'u16' } as const
const HEADER = sizeOf(nlattr)
const NLA_F_NESTED = 0x8000
const NLA_TYPE_MASK = 0x3fff

/** Attributes as bytes, in the order given. */
export function encodeAttributes<A extends Attributes>(table: A, values: AttributesOf<A>): Buffer {
  const parts = Object.entries(values).flatMap(([name, value]) => {
    const [type, format] = certain(table[name])
    const nested = typeof format !== 'string'
    const bytes = nested ? encodeAttributes(format, value as object) : formats[format].encode(value as never)
    const header = { nla_len: HEADER + bytes.length, nla_type: nested ? type | NLA_F_NESTED : type }
    return [encodeStruct(nlattr, header), bytes, Buffer.alloc(align(bytes.length) - bytes.length)]
  })
  return Buffer.concat(parts)
}

/** The attributes that the table lists; the kernel may send others. */
export function decodeAttributes<A extends Attributes>(table: A, bytes: Buffer): AttributesOf<A> {
  const known = walk(table, bytes).map(({ name, format, value }) => [
    name,
    typeof format === 'string' ? formats[format].decode(value) : decodeAttributes(format, value),
  ])
  return Object.fromEntries(known) as AttributesOf<A>
}

/** The name of the attribute that starts at an offset, otherwise of the one that contains the offset. */
export function attributeAt(table: Attributes, bytes: Buffer, offset: number): string | undefined {
  const found = walk(table, bytes).find(
    ({ at, value }) => offset >= at && offset < at + HEADER + value.length,
  )
  if (!found || found.at === offset || typeof found.format === 'string') return found?.name
  return attributeAt(found.format, found.value, offset - found.at - HEADER) ?? found.name
}

function walk(table: Attributes, bytes: Buffer) {
  const names = new Map(Object.entries(table).map(([name, [type, format]]) => [type, { name, format }]))
  const found = []
  for (let at = 0; at + HEADER <= bytes.length;) {
    const { nla_len, nla_type } = decodeStruct(nlattr, bytes.subarray(at))
    const known = names.get(nla_type & NLA_TYPE_MASK)
    if (known) found.push({ ...known, at, value: bytes.subarray(at + HEADER, at + nla_len) })
    at += align(Math.max(nla_len, HEADER))
  }
  return found
}

/** Messages and attributes start at multiples of four: NLMSG_ALIGN, NLA_ALIGN. */
export function align(length: number): number {
  return (length + 3) & ~3
}
