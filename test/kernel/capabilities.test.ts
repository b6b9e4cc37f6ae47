import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  capabilities,
  capabilityMask,
  capabilityNames,
  capData,
  capHeader,
  defaultCapabilities,
  parseCapability,
} from '../../lib/kernel/process/capabilities.ts'
import type { Capability } from '../../lib/kernel/process/capabilities.ts'

const names = Object.keys(capabilities) as Capability[]

/** A `Cap…` line of a /proc/<pid>/status, as a mask. */
const held = (status: string, set: string) =>
  BigInt(`0x${new RegExp(`^Cap${set}:\\s*(\\w+)`, 'm').exec(status)![1]}`)

const header = '/usr/include/linux/capability.h'
test('the table has every capability of this kernel', () => {
  // capabilities(7): the number of the highest one
  expect(names.length - 1).toBeGreaterThanOrEqual(
    Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8')),
  )
})

test.skipIf(!existsSync(header))(`positions are the numbers of ${header} (linux-libc-dev)`, () => {
  const defined = [...readFileSync(header, 'utf8').matchAll(/^#define (CAP_\w+)\s+(\d+)$/gm)]
  expect(defined.length).toBeGreaterThan(30)
  for (const [, name, bit] of defined) {
    expect([name, names.indexOf(name as Capability)]).toEqual([name, Number(bit)])
  }
})

test('words of the user become names, near misses a suggestion', () => {
  expect(parseCapability('net_admin')).toEqual(['CAP_NET_ADMIN'])
  expect(parseCapability('CAP_NET_ADMIN')).toEqual(['CAP_NET_ADMIN'])
  expect(parseCapability('ALL')).toEqual(names)
  expect(() => parseCapability('net_amdin')).toThrow(
    expect.objectContaining({
      message: 'unknown capability "net_amdin"',
      remedy: 'did you mean CAP_NET_ADMIN?',
    }),
  )
  expect(() => parseCapability('constructor')).toThrow('unknown capability "constructor"')
})

test('masks go to and fro', () => {
  expect(capabilityMask(['CAP_CHOWN', 'CAP_CHECKPOINT_RESTORE'])).toBe((1n << 40n) | 1n)
  expect(capabilityMask(names)).toBe((1n << 41n) - 1n)
  // the CapEff that `docker run --rm alpine grep Cap /proc/self/status` shows
  expect(capabilityMask(defaultCapabilities)).toBe(0xa80425fbn)
  expect(capabilityNames(0xa80425fbn)).toEqual(defaultCapabilities)
  expect(capabilityNames(capabilityMask(names) | (1n << 63n))).toEqual(names)
})

test('capset(2) takes the bytes as the sets that the kernel then shows', context => {
  const permitted = held(readFileSync('/proc/self/status', 'utf8'), 'Prm')
  if (permitted === 0n)
    return context.skip('this process has no capabilities to put into the sets (not root)')
  const all = capabilityNames(permitted)
  const effective = capabilityMask(all.filter((_, i) => i % 2 === 0))
  const inheritable = capabilityMask([all.at(-1)!])
  const child = `
    import koffi from 'koffi'
    import { readFileSync } from 'node:fs'
    const [header, data] = process.argv.slice(1).map(hex => Buffer.from(hex, 'hex'))
    const capset = koffi.load(null).func('int capset(void *header, void *data)')
    if (capset(header, data) !== 0) throw new Error('capset: errno ' + koffi.errno())
    process.stdout.write(readFileSync('/proc/thread-self/status'))`
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
  const status = execFileSync(
    process.execPath,
    ['--input-type=module', '-e', child, hex(capHeader()), hex(capData(effective, permitted, inheritable))],
    { cwd: import.meta.dirname, encoding: 'utf8' },
  )
  expect(['Eff', 'Prm', 'Inh'].map(set => held(status, set))).toEqual([effective, permitted, inheritable])
})
