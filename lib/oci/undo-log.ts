import { appendFileSync, readFileSync } from 'node:fs'
import { parseJson } from '../common/json.ts'
import { object, type Of, text } from '../common/shape.ts'
import { unlessGone } from '../kernel/process/procfs.ts'

const isCgroup = object({ kind: (kind): kind is 'cgroup' => kind === 'cgroup', path: text, use: text })

/** The directories of cgroups that a container's `create` made, in its order. A line that was cut short belongs to none that was made. */
export function madeCgroups(path: string): Of<typeof isCgroup>[] {
  const text = unlessGone(() => readFileSync(path, 'utf8')) ?? ''
  return text.split('\n').flatMap(line => parseJson(line, isCgroup) ?? [])
}

/** Records a change before it is made. */
export function note(path: string, entry: object): void {
  appendFileSync(path, `${JSON.stringify(entry)}\n`, { mode: 0o600 })
}
