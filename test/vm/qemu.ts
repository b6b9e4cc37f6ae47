import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import type { Duplex, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Accelerator } from './accelerators.ts'
import type { Machine } from './machines.ts'

export interface Disks {
  /** the folder with image.ext4, kernel and initrd */
  system: string
  /** raw images with a file system that the guest knows by its label */
  others: string[]
  /** a folder for what the guest writes, console.log among it, as long as it runs */
  scratch: string
}

/** A qemu process: what its guest prints on the serial console, and a port to speak with it. */
export class Qemu {
  readonly port: Duplex
  console = ''
  /** resolves when qemu has ended */
  readonly exit: Promise<unknown>
  readonly #child: ChildProcess
  readonly #output: Readable

  constructor(machine: Machine, accelerator: Accelerator, { system, others, scratch }: Disks) {
    const { program, board, emulated } = machine.qemu
    const processor = accelerator === 'kvm' ? ['kvm', '-cpu', 'max'] : ['tcg,thread=multi', '-cpu', emulated]
    // panic: then qemu ends; TERM: systemd prints plain lines
    const output = 'loglevel=5 systemd.show_status=true TERM=dumb'
    const kernel = ['root=/dev/vda rw panic=-1', output, ...machine.kernel].join(' ')
    const drives = [`${system}/image.ext4`, ...others].flatMap((file, i) => [
      '-drive',
      `file=${file},if=none,id=disk${i},format=raw,snapshot=on`, // qemu(1): writes go to a temporary file
      '-device',
      `virtio-blk-pci,drive=disk${i}`,
    ])
    // prctl(2), PR_SET_PDEATHSIG: it ends with us also when we are killed
    this.#child = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', program, '-M', board],
        ...['-accel', ...processor, '-smp', '2', '-m', '2048'],
        ...['-nodefaults', '-no-reboot', '-display', 'none', '-serial', 'stdio'],
        ...['-kernel', `${system}/kernel`, '-initrd', `${system}/initrd`, '-append', kernel],
        ...drives,
        ...['-device', 'virtio-rng-pci', '-device', 'virtio-serial-pci'],
        ...['-chardev', 'socket,id=port,fd=3', '-device', 'virtserialport,chardev=port,name=minilab'],
      ],
      {
        stdio: ['ignore', 'pipe', 'inherit', 'pipe'], // Node makes the pipes as pairs of sockets
        env: { ...process.env, TMPDIR: scratch },
      },
    )
    this.exit = once(this.#child, 'exit')
    this.port = this.#child.stdio[3] as Duplex
    this.#output = this.#child.stdout as Readable
    this.#output.pipe(createWriteStream(join(scratch, 'console.log'))) // to be watched while it runs
    this.#output.setEncoding('utf8').on('data', (text: string) => (this.console += text))
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** True as soon as the guest prints something, false after so many seconds without. */
  async speaks(seconds: number): Promise<boolean> {
    const said = once(this.#output, 'data').then(() => true)
    return await Promise.race([
      said,
      this.exit.then(() => false),
      sleep(seconds * 1000, false, { ref: false }),
    ])
  }

  /** Kills it, and waits for its end; false where the kernel does not let go of it. */
  async end(): Promise<boolean> {
    this.#child.kill('SIGKILL')
    const ended = await Promise.race([this.exit.then(() => true), sleep(10_000, false, { ref: false })])
    if (!ended) this.#child.unref()
    this.port.destroy()
    this.#output.destroy()
    return ended
  }
}
