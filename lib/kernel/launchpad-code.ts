import { koffi, libc } from './libc.ts'
import { launchpad } from './launchpad.ts'

const PAGE = 4096
const PROT_READ_WRITE = 3
const PROT_READ_EXEC = 5
const MAP_PRIVATE_ANONYMOUS = 0x22

const code = libc.mmap(null, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0)
new Uint8Array(koffi.view(code, PAGE)).set(launchpad)
// W^X: written first, executable afterwards, never both (SELinux and hardened kernels insist)
if (libc.mprotect(code, PAGE, PROT_READ_EXEC) !== 0) throw new Error('mprotect refused an executable page')

/** The machine code at an offset of the launchpad as a callable function. */
export function entry(offset: number, prototype: string) {
  return koffi.decode(koffi.address(code) + BigInt(offset), koffi.proto(prototype))
}
