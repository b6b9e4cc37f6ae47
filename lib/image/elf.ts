import { readSync } from 'node:fs'
import { openFile } from '../common/descriptor.ts'

const PT_INTERP = 3

/**
 * The dynamic loader named in a program's headers (elf(5)), such as '/lib64/ld-linux-x86-64.so.2'; null for a static program;
 * undefined if the file is not a 64-bit little-endian ELF file.
 */
export function interpreter(path: string): string | null | undefined {
  using file = openFile(path, 'r')
  const read = (position: number, length: number) => {
    const buffer = Buffer.alloc(length)
    readSync(file.fd, buffer, { position })
    return buffer
  }
  // Elf64_Ehdr: e_ident (magic, class 2 = 64 bits, data 1 = little-endian), e_phoff, e_phentsize, e_phnum
  const header = read(0, 64)
  if (header.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return undefined
  const [offset, size, count] = [
    Number(header.readBigUInt64LE(32)),
    header.readUInt16LE(54),
    header.readUInt16LE(56),
  ]
  for (let i = 0; i < count; i++) {
    // Elf64_Phdr: p_type, p_offset, p_filesz
    const segment = read(offset + i * size, 56)
    if (segment.readUInt32LE(0) !== PT_INTERP) continue
    const name = read(Number(segment.readBigUInt64LE(8)), Number(segment.readBigUInt64LE(32)))
    return name.toString().replace(/\0$/, '')
  }
  return null
}
