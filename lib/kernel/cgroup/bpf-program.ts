import { closing, openFile } from '../../common/descriptor.ts'
import { codeOf } from '../../common/error-code.ts'
import { BPF_PROG_ATTACH, BPF_PROG_LOAD } from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'

/** An instruction of eBPF: linux/bpf.h, struct bpf_insn. */
export type Instruction = readonly [op: number, to: number, from: number, offset: number, value: number]

const ALLOW_MULTI = 2 // BPF_F_ALLOW_MULTI: it also holds for the cgroups below

/** From now on a program judges what the processes of a cgroup (v2) do: bpf(2), linux/bpf.h. Throws the SyscallError. */
export function attachProgram(
  path: string,
  type: number,
  attachment: number,
  code: readonly (readonly number[])[],
): void {
  using folder = openFile(path, 'r')
  using program = closing(load(type, attachment, assembled(code)))
  const attr = words(folder.fd, program.fd, attachment, ALLOW_MULTI)
  now.bpf(BPF_PROG_ATTACH, [attr], attr.length)
}

/** Returns a descriptor of the loaded program. */
function load(type: number, attachment: number, program: Uint8Array): number {
  const head = words(type, program.length / 8)
  // log_level, log_size, log_buf, kern_version, prog_flags, prog_name, prog_ifindex, expected_attach_type
  const rest = words(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, attachment)
  const attributes = [head, { at: program }, { at: Buffer.from('GPL\0') }, rest]
  // the verifier gives up when a signal is pending, as the SIGCHLD of a program that we have run: kernel/bpf/verifier.c, do_check()
  for (let left = 10; ; left--) {
    try {
      return now.bpf(BPF_PROG_LOAD, attributes, 24 + rest.length)
    } catch (error) {
      if (left === 0 || codeOf(error) !== 'EAGAIN') throw error
    }
  }
}

const words = (...numbers: number[]) => new Uint8Array(Uint32Array.from(numbers).buffer)

function assembled(code: readonly (readonly number[])[]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(code.length * 8))
  for (const [i, [op = 0, to = 0, from = 0, offset = 0, value = 0]] of code.entries()) {
    bytes.setUint8(i * 8, op)
    bytes.setUint8(i * 8 + 1, to | (from << 4))
    bytes.setInt16(i * 8 + 2, offset, true)
    bytes.setInt32(i * 8 + 4, value, true)
  }
  return new Uint8Array(bytes.buffer)
}
