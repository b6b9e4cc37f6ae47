import type { Accelerator } from './accelerators.ts'
import { GuestLink } from './guest-link.ts'
import type { Machine } from './machines.ts'
import { VmProblem } from './problem.ts'
import { type Disks, Qemu } from './qemu.ts'

/** How long a working KVM may take to the kernel's first line. In seconds. */
const FIRST_BYTE = 20
/** How long a guest may take to its login session. In seconds; emulated, it took 35 to 190. */
const LOGIN = 600

/** Starts the first accelerator on which the guest speaks. `started` hears of each qemu, so that it can be ended. */
export async function start(
  machine: Machine,
  list: readonly Accelerator[],
  disks: Disks,
  started: (qemu: Qemu) => void,
  patience = { kvm: FIRST_BYTE, tcg: LOGIN },
): Promise<Qemu> {
  for (const accelerator of list) {
    const qemu = new Qemu(machine, accelerator, disks)
    started(qemu)
    if (await qemu.speaks(patience[accelerator])) return qemu
    console.log(`the guest says nothing on ${accelerator}`)
    if (!(await qemu.end())) console.log(`qemu, pid ${qemu.pid}, cannot be ended: the kernel keeps it`)
  }
  throw new VmProblem('the guest did not start')
}

/** Waits until the guest answers. */
export async function logIn(qemu: Qemu): Promise<GuestLink> {
  const guest = new GuestLink(qemu.port, qemu.exit)
  await guest.ready(LOGIN)
  return guest
}
