import { spawnSync } from 'node:child_process'
import { writeSync } from 'node:fs'
import { MinilabError } from '../../common/errors.ts'
import type { Call } from '../commands.ts'
import { load, pidsOf } from '../state.ts'

export function run({ root, flags, args: [id = '', ...options] }: Call): void {
  const format = flags.value('format') ?? 'table'
  const pids = pidsOf(load(root, id))
  if (format === 'json') return void writeSync(1, JSON.stringify(pids))
  if (format !== 'table')
    throw new MinilabError('usage', `invalid format option ${JSON.stringify(format)}`, 'table or json')
  const { stdout, status, stderr, error } = spawnSync('ps', options.length ? options : ['-ef'], {
    encoding: 'utf8',
  })
  if (error || status !== 0)
    throw new MinilabError('machine', `ps: ${(error?.message ?? stderr).trim()}`, 'install procps')
  const [title = '', ...lines] = stdout.trimEnd().split('\n')
  const column = title.trim().split(/\s+/).indexOf('PID')
  if (column === -1)
    throw new MinilabError(
      'usage',
      "couldn't find PID field in ps output",
      'choose a format of ps(1) with PID',
    )
  const ours = lines.filter(line => pids.includes(Number(line.trim().split(/\s+/)[column])))
  writeSync(1, [title, ...ours, ''].join('\n'))
}
