import { expect, test } from 'vitest'
import { AF_INET, AF_INET6 } from '../../lib/kernel/syscalls/constants.ts'
import { decodeIP, encodeIP, parseNetwork } from '../../lib/kernel/netlink/ip-address.ts'

test.each([
  ['10.1.2.3', '0a010203'],
  ['255.255.255.255', 'ffffffff'],
  ['::', '00000000000000000000000000000000'],
  ['::1', '00000000000000000000000000000001'],
  ['fd00::1:2', 'fd000000000000000000000000010002'],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['fe80::', 'fe800000000000000000000000000000'],
])('%s is %s in network order, and back', (text, hex) => {
  expect(encodeIP(text).toString('hex')).toBe(hex)
  expect(decodeIP(Buffer.from(hex, 'hex'))).toBe(text)
})

test('an IPv6 address may be written in other ways than it is printed', () => {
  expect(decodeIP(encodeIP('FD00:0:0::0001'))).toBe('fd00::1')
  expect(encodeIP('::ffff:10.1.2.3').toString('hex')).toBe('00000000000000000000ffff0a010203')
})

test('a network is an address and a length', () => {
  expect(parseNetwork('10.1.2.3/24')).toEqual({ family: AF_INET, ip: '10.1.2.3', length: 24 })
  expect(parseNetwork('10.1.2.3')).toEqual({ family: AF_INET, ip: '10.1.2.3', length: 32 })
  expect(parseNetwork('fd00::1/64')).toEqual({ family: AF_INET6, ip: 'fd00::1', length: 64 })
})

test.each(['', '10.1.2', '10.1.2.3/33', '10.1.2.3/', '10.1.2.3/-1', '10.1.2.3/8/8', 'fd00::1/129', 'eth0'])(
  '%j is none',
  text => {
    expect(() => parseNetwork(text)).toThrow(expect.objectContaining({ kind: 'usage' }))
  },
)
