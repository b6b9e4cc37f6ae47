// Notes COUNT failed attempts, one after the other, in a workspace's progress; says how many it has noted, a line each.
//   node writer.ts FOLDER COUNT
import { changeProgress } from '../../lib/labs/progress.ts'
import type { Progress } from '../../lib/labs/progress-shape.ts'

/** What it counts up. */
export const attempts = ({ tasks }: Progress): number => tasks['9-test/task']?.attempts ?? 0

const [, , folder, count] = process.argv
if (folder)
  for (let i = 1; i <= Number(count); i++) {
    changeProgress({ folder }, progress => {
      const at = new Date().toISOString()
      const task = (progress.tasks['9-test/task'] ??= { first: at, last: at, attempts: 0, hints: 0 })
      task.attempts++
    })
    process.stdout.write(`${i}\n`)
  }
