import { expect, test } from 'vitest'
import { networkOf, nth, overlap, room } from '../../lib/kernel/netlink/subnet.ts'

test('addresses of a network are counted from its first', () => {
  expect(nth('10.44.0.0/24', 1)).toBe('10.44.0.1')
  expect(nth('10.44.0.7/24', 254)).toBe('10.44.0.254')
  expect(nth('10.44.0.0/16', 256)).toBe('10.44.1.0')
  expect(nth('198.51.100.252/30', 2)).toBe('198.51.100.254')
  expect(nth('255.255.255.254/31', 1)).toBe('255.255.255.255')
})

test('a network has room for all but its first and last address', () => {
  expect(room('10.44.0.0/24')).toBe(254)
  expect(room('198.51.100.0/30')).toBe(2)
})

test('the network of an address', () => {
  expect(networkOf('10.44.0.7/24')).toBe('10.44.0.0/24')
  expect(networkOf('192.168.200.77/26')).toBe('192.168.200.64/26')
  expect(networkOf('1.2.3.4/0')).toBe('0.0.0.0/0')
})

test.each([
  ['10.44.0.0/24', '10.44.0.0/24', true],
  ['10.44.0.0/24', '10.44.1.0/24', false],
  ['10.44.0.0/24', '10.0.0.0/8', true], // a VPN's route to a large network
  ['10.0.0.0/8', '10.44.0.0/24', true],
  ['10.44.0.0/24', '10.44.0.200/32', true],
  ['192.168.0.0/16', '10.0.0.0/8', false],
  ['200.0.0.0/7', '201.255.255.255/32', true],
])('%s and %s overlap: %s', (a, b, expected) => {
  expect(overlap(a, b)).toBe(expected)
})
