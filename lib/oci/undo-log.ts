import { appendFileSync, readFileSync } from 'node:fs'
import { parseJson } from '../common/json.ts'
import { object, type Of, type Shape, text } from '../common/shape.ts'
import { unlessGone } from '../kernel/process/procfs.ts'

const isCgroup = object({ kind: (kind): kind is 'cgroup' => kind === 'cgroup', path: text, use: text })

/** The directories of cgroups that a container's `create` made, in its order. A line that was cut short belongs to none that was made. */
export const madeCgroups = (path: string): Of<typeof isCgroup>[] => lines(path, isCgroup)

const isUnit = object({ kind: (kind): kind is 'unit' => kind === 'unit', name: text })

/** The unit of systemd that a container's `create` started. Before that line is written, the unit has no process but ours. */
export const madeUnit = (path: string): string | undefined => lines(path, isUnit)[0]?.name

function lines<T>(path: string, shape: Shape<T>): T[] {
  const text = unlessGone(() => readFileSync(path, 'utf8')) ?? ''
  return text.split('\n').flatMap(line => parseJson(line, shape) ?? [])
}

/** Records a change before it is made. */
export function note(path: string, entry: object): void {
  appendFileSync(path, `${JSON.stringify(entry)}\n`, { mode: 0o600 })
}
