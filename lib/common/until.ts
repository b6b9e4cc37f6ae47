import { watch } from 'node:fs'

/**
 * Waits until something holds, `milliseconds` at most; resolves to whether it came true. It looks again when the kernel
 * says that `file` has changed (inotify(7); admin-guide/cgroup-v2.rst: cgroup.events, pids.events …), and every
 * millisecond where the kernel has no such event.
 */
export async function until(holds: () => boolean, milliseconds: number, file?: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const look = () => settle(holds)
    // watched first, then looked at: a change in between is not missed
    const events = file === undefined ? undefined : watch(file, look).on('error', reject)
    const ticks = file === undefined ? setInterval(look, 1) : undefined
    const deadline = setTimeout(() => settle(holds, true), milliseconds)
    look()

    function settle(test: () => boolean, last = false): void {
      try {
        const held = test()
        if (!held && !last) return
        resolve(held)
      } catch (error) {
        reject(error)
      }
      events?.close()
      clearInterval(ticks)
      clearTimeout(deadline)
    }
  })
}
