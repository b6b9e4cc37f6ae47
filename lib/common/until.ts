import { watch } from 'node:fs'

/**
 * Waits until a condition holds, at most `milliseconds`; resolves to whether it does. Checks again whenever the kernel reports
 * a change of `file` (inotify(7); admin-guide/cgroup-v2.rst: cgroup.events, pids.events …), or every millisecond if no file is
 * given.
 */
export async function until(holds: () => boolean, milliseconds: number, file?: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const look = () => settle(holds)
    // watch before the first check, so that no change is missed between them
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
