import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ENTRY, launchpads } from '../../lib/kernel/tape/launchpad.ts'
import { arch } from '../../lib/kernel/syscalls/syscall-numbers.ts'

const library = join(import.meta.dirname, '../../lib/kernel/tape')
const PAGE = 4096

/** How binutils calls itself for each architecture; without a prefix it is the machine's own. */
const PREFIXES = {
  x64: ['x86_64-linux-gnu-', ...(arch === 'x64' ? [''] : [])],
  arm64: ['aarch64-linux-gnu-', ...(arch === 'arm64' ? [''] : [])],
}
const PACKAGES = { x64: 'binutils-x86-64-linux-gnu', arm64: 'binutils-aarch64-linux-gnu' }

describe.each(['x64', 'arm64'] as const)('the launchpad for %s', on => {
  const prefix = PREFIXES[on].find(prefix => spawnSync(`${prefix}as`, ['--version']).status === 0)
  const lacking = prefix === undefined ? ` (no assembler for it: apt-get install ${PACKAGES[on]})` : ''

  /** Assembles launchpad.*.S; what binutils finds in the object file. */
  function assemble() {
    const folder = mkdtempSync(join(tmpdir(), 'minilab-launchpad-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const [object, code] = [join(folder, 'object'), join(folder, 'code')]
    execFileSync(`${prefix}as`, ['-o', object, join(library, `launchpad.${on}.S`)])
    execFileSync(`${prefix}objcopy`, ['-O', 'binary', '-j', '.text', object, code])
    const symbols = execFileSync(`${prefix}nm`, [object], { encoding: 'utf8' }).trim().split('\n')
    const offsets = symbols
      .map(line => line.split(' '))
      .map(([hex = '', , name]) => [name, parseInt(hex, 16)])
    return { code: readFileSync(code), offsets: Object.fromEntries(offsets) as Record<string, number> }
  }

  test.skipIf(lacking)(`is what its assembly says${lacking}`, () => {
    expect(launchpads[on]).toBe(assemble().code.toString('hex'))
  })

  test.skipIf(lacking)(`is entered where the symbols are${lacking}`, () => {
    expect(assemble().offsets).toEqual(ENTRY)
  })

  test('fits the page that it is copied to', () => {
    expect(launchpads[on].length / 2).toBeLessThanOrEqual(PAGE)
  })
})
