import { writeSync } from 'node:fs'
import { MinilabError } from '../../common/errors.ts'
import type { Call } from '../commands.ts'
import { described, loadAll, statusOf } from '../state.ts'

const COLUMNS = ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER']

export function run({ root, flags }: Call): void {
  const format = flags.value('format') ?? 'table'
  if (!['table', 'json'].includes(format))
    throw new MinilabError('usage', `invalid format option ${JSON.stringify(format)}`, 'table or json')
  const all = loadAll(root).map(state => ({
    pid: 0,
    ...described(state, statusOf(root, state)),
    rootfs: state.rootfs,
    created: state.created,
    owner: '',
  }))
  if (flags.has('quiet')) return print(all.map(({ id }) => id))
  if (format === 'json') return print([JSON.stringify(all)])
  const rows = all.map(({ id, pid, status, bundle, created, owner }) => [
    id,
    String(pid),
    status,
    bundle,
    created,
    owner,
  ])
  const widths = COLUMNS.map((name, i) => Math.max(name.length, ...rows.map(row => (row[i] ?? '').length)))
  print(
    [COLUMNS, ...rows].map(row =>
      row
        .map((cell, i) => cell.padEnd((widths[i] ?? 0) + 3))
        .join('')
        .trimEnd(),
    ),
  )
}

const print = (lines: string[]) => void writeSync(1, lines.map(line => `${line}\n`).join(''))
