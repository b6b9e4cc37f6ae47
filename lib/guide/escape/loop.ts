import { closeSync, openSync, statSync } from 'node:fs'
import { openFile } from '../../common/descriptor.ts'
import { now } from '../../kernel/syscalls/now.ts'
import { SyscallError } from '../../kernel/syscalls/syscall-error.ts'

/** A file that the kernel shows as a block device: loop(4). */
export interface LoopDevice {
  path: string
  /** its device number, as mknod(2) takes it */
  device: number
}

// linux/loop.h
const LOOP_CONFIGURE = 0x4c0a
const LOOP_CTL_GET_FREE = 0x4c82
const LO_FLAGS = { readOnly: 1, autoclear: 4 }
/** struct loop_config: fd, block_size, struct loop_info64 with lo_flags in it, reserved */
const CONFIG = { size: 304, fd: 0, flags: 60 }

const TRIES = 10

/**
 * Attaches a file to a free loop device, read-only. The kernel frees the device when its last user closes it. We keep it open,
 * so it is freed however we end.
 */
export function attachLoop(file: string): LoopDevice {
  using control = openFile('/dev/loop-control', 'r+')
  using backing = openFile(file, 'r')
  const config = new Uint8Array(CONFIG.size)
  const view = new DataView(config.buffer)
  view.setUint32(CONFIG.fd, backing.fd, true)
  view.setUint32(CONFIG.flags, LO_FLAGS.readOnly | LO_FLAGS.autoclear, true)
  for (let tries = 1; ; tries++) {
    const path = `/dev/loop${now.ioctl(control.fd, LOOP_CTL_GET_FREE, 0)}`
    const device = openSync(path, 'r')
    try {
      now.ioctl(device, LOOP_CONFIGURE, config)
      return { path, device: statSync(path).rdev }
    } catch (error) {
      closeSync(device)
      // another process took it first: try the next one
      if (!(error instanceof SyscallError && error.code === 'EBUSY' && tries < TRIES)) throw error
    }
  }
}
