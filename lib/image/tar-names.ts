import { escape, unescape } from 'node:querystring'

// What a layer's tar says through names and PAX records. Sources: OCI image-spec, layer.md ("Representing Changes");
// pax(1), "pax Extended Header"; SCHILY.xattr: star(5); LIBARCHIVE.xattr: tar(5) of libarchive.

/** `.wh.NAME` hides NAME of the layers below. */
export const WHITEOUT = '.wh.'
/** A file of this name hides everything that lower layers have in its directory. */
export const OPAQUE = '.wh..wh..opq'
/** Names with this prefix are for aufs's own use. */
export const AUFS = '.wh..wh.'

const RAW = 'SCHILY.xattr.'
const BASE64 = 'LIBARCHIVE.xattr.'

/** An extended attribute as a PAX record. tar-stream treats records as UTF-8 text, so a value that is not text is stored in base64. */
export function xattrRecord(name: string, value: Buffer): Record<string, string> {
  const text = value.toString()
  return Buffer.from(text).equals(value)
    ? { [RAW + name]: text }
    : { [BASE64 + escape(name)]: value.toString('base64').replace(/=+$/, '') }
}

/** The extended attribute in a PAX record; its value is null if tar-stream's UTF-8 decoding lost it. Undefined for other records. */
export function xattrOf(key: string, value: string): { name: string; value: Buffer | null } | undefined {
  if (key.startsWith(RAW))
    return { name: key.slice(RAW.length), value: value.includes('\uFFFD') ? null : Buffer.from(value) }
  if (key.startsWith(BASE64))
    return { name: unescape(key.slice(BASE64.length)), value: Buffer.from(value, 'base64') }
  return undefined
}
