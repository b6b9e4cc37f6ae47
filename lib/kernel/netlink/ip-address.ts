import { isIP, isIPv4 } from 'node:net'
import { certain } from '../../common/certain.ts'
import { AF_INET, AF_INET6 } from '../syscalls/constants.ts'
import { MinilabError } from '../../common/errors.ts'
import { quote } from '../syscalls/argument-kinds.ts'

/** An address and its prefix length: `10.1.2.3/24`; without a length, all bits. Throws a usage error. */
export function parseNetwork(text: string): { family: number; ip: string; length: number } {
  const [ip = '', length, ...rest] = text.split('/')
  const most = certain({ 0: -1, 4: 32, 6: 128 }[isIP(ip)])
  const given = length === undefined ? most : /^\d+$/.test(length) ? Number(length) : Infinity
  if (most < 0 || given > most || rest.length > 0)
    throw new MinilabError(
      'usage',
      `${quote(text)} is not an IP address or network`,
      'write it like 10.1.2.3/24',
    )
  return { family: most === 32 ? AF_INET : AF_INET6, ip, length: given }
}

/** An address in network order: 4 bytes of IPv4, or 16 of IPv6. */
export function encodeIP(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number))
  // the URL parser writes every form of an IPv6 address as hexadecimal groups with at most one `::`
  const [before = '', after] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const groups = (text = '') => (text ? text.split(':') : [])
  const zeros = after === undefined ? 0 : 8 - groups(before).length - groups(after).length
  const all = [...groups(before), ...Array<string>(zeros).fill('0'), ...groups(after)]
  return Buffer.from(all.map(group => group.padStart(4, '0')).join(''), 'hex')
}

/** The address in 4 or 16 bytes. */
export function decodeIP(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = bytes.toString('hex').match(/.{4}/g) ?? []
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
