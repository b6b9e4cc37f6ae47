import { writeSync } from 'node:fs'
import type { Call } from '../commands.ts'
import { described, load, statusOf } from '../state.ts'

export function run({ root, args: [id = ''] }: Call): void {
  const state = load(root, id)
  const status = statusOf(root, state)
  const { rootfs, created } = state
  // runc prints pid 0 for a container that has stopped
  writeSync(
    1,
    `${JSON.stringify({ pid: 0, ...described(state, status), rootfs, created, owner: '' }, null, 2)}\n`,
  )
}
