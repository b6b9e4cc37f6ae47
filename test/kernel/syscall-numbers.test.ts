import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { arch, numbers, syscallNumber } from '../../lib/kernel/syscalls/syscall-numbers.ts'
import type { Arch } from '../../lib/kernel/syscalls/syscall-numbers.ts'

const table = (on: Arch): Map<string, number> =>
  new Map(
    Object.entries(numbers).flatMap(([name, pair]) => {
      const number = pair[on === 'x64' ? 0 : 1]
      return number === null ? [] : [[name, number]]
    }),
  )

/** Where Linux distributions keep the headers of their C library for each architecture. */
const headers: Record<Arch, string[]> = {
  x64: ['/usr/include/x86_64-linux-gnu/asm/unistd_64.h', '/usr/include/asm/unistd_64.h'],
  arm64: ['/usr/include/aarch64-linux-gnu/asm/unistd_64.h', '/usr/include/asm-generic/unistd.h'],
}

/** The __NR_ lines of a header for 64 bits. Older generic headers call what 32 bits spell differently __NR3264_. */
function parse(path: string): Map<string, number> {
  const numbered = new Map<string, number>()
  const lines = readFileSync(path, 'utf8').split('\n')
  for (const [, name, number] of lines.map(line => /^#define __NR(?:3264)?_(\w+)\s+(\d+)/.exec(line) ?? [])) {
    // 403 to 423 are the 32-bit calls with 64-bit times; the next two are no calls
    if (!name || (Number(number) > 402 && Number(number) < 424)) continue
    if (name !== 'syscalls' && name !== 'arch_specific_syscall') numbered.set(name, Number(number))
  }
  // 79 is fstatat there, and newfstatat in the kernel's table and in every header for one architecture
  const fstatat = numbered.get('fstatat')
  if (fstatat !== undefined) numbered.set('newfstatat', fstatat)
  for (const other of ['fstatat', 'sync_file_range2']) numbered.delete(other)
  return numbered
}

describe.each(['x64', 'arm64'] as const)('%s', on => {
  const path = headers[on].find(path => existsSync(path))

  test.skipIf(!path)(
    `every call of ${path ?? 'the kernel headers (not installed: linux-libc-dev)'} has our number`,
    () => {
      const theirs = parse(path!)
      expect(theirs.size).toBeGreaterThan(300)
      const ours = table(on)
      expect(Object.fromEntries([...theirs.keys()].map(name => [name, ours.get(name)]))).toEqual(
        Object.fromEntries(theirs),
      )
    },
  )

  test('no number is given twice', () => {
    const all = [...table(on).values()]
    expect(new Set(all).size).toBe(all.length)
  })

  test('from 424 on every architecture has the same numbers', () => {
    for (const [name, number] of table(on)) {
      if (number >= 424)
        expect({ name, pair: numbers[name as keyof typeof numbers] }).toEqual({
          name,
          pair: [number, number],
        })
    }
  })
})

test('the number for this machine, and for another', () => {
  expect(syscallNumber('execve')).toBe({ x64: 59, arm64: 221 }[arch])
  expect(syscallNumber('mount', 'x64')).toBe(165)
  expect(syscallNumber('mount', 'arm64')).toBe(40)
  expect(() => syscallNumber('open', 'arm64')).toThrow('arm64 has no system call open')
})
