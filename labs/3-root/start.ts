// Lab 3: a root file system you cannot leave.   The tasks: minilab lab 3   Look again: minilab check 3
// `tape.` with the name of a system call records that call; the child makes the recorded calls in order, before its program.
import { type Part, type Tape } from 'minilab'

/** Task 1: from here on, "/" is `jail` for this process. */
export function enterJail(tape: Tape, jail: string): void {
  // TODO 1: go there, and make it the root
}

/** Task 2: the way out. "/" is the jail; `second` is an empty directory in it. */
export function breakOut(tape: Tape, second: string): void {
  // TODO 2: put the process's root somewhere below its working directory, walk up, and make the top its root
}

/** Tasks 3 to 6: the root of a container. */
export const root: Part = {
  name: 'root',
  inside(tape, { rootfs }) {
    // `rootfs` is the directory of the image; the process is alone in its mount namespace
    // TODO 5a: open the host's devices while they can be reached
    // TODO 3: make `rootfs` a mount point, pivot to it, and unmount the old root
    // TODO 4: mount its own /proc. (Before the old root is unmounted, or after?)
    // TODO 5b: mount a tmpfs on /dev, and put into it the devices, its own devpts, and the usual links
    // TODO 6: mount its own /sys, beside /proc; mask what reveals the machine, and make /proc/sys read-only
  },
}
