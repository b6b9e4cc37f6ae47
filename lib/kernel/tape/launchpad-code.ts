import { koffi, libc } from '../syscalls/libc.ts'
import { ENTRY, launchpad } from './launchpad.ts'

export { ENTRY }

const PAGE = 4096
const PROT_READ_WRITE = 3
const PROT_READ_EXEC = 5
const MAP_PRIVATE_ANONYMOUS = 0x22

/** Maps the launchpad into its own page, with a descriptor for `heard` to write to; returns its address. It is never unmapped. */
export function codeWith(pipe: number): bigint {
  const code = libc.mmap(null, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0)
  const bytes = koffi.view(code, PAGE)
  new Uint8Array(bytes).set(launchpad)
  new DataView(bytes).setInt32(ENTRY.pipe, pipe, true)
  // W^X: first writable, then executable, never both (SELinux and hardened kernels require this)
  if (libc.mprotect(code, PAGE, PROT_READ_EXEC) !== 0) throw new Error('mprotect refused an executable page')
  return koffi.address(code)
}

const code = codeWith(-1)

/** The machine code at an offset of the launchpad as a callable function. */
export function entry(offset: number, prototype: string) {
  return koffi.decode(code + BigInt(offset), koffi.proto(prototype))
}
