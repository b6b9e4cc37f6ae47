import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { rightOthers } from './4-limits-others.ts'
import { rightWays } from './4-limits-ways.ts'

export const right: RightAnswer[] = [
  ...rightWays,
  ...rightOthers,
  {
    task: 'join',
    name: 'the directories by one mkdir -p each, joined backwards',
    edits: [
      ['mkdirSync(path)', 'mkdirSync(path, { recursive: true })'],
      ['of cgroup?.folders ?? [])', 'of cgroup?.folders.toReversed() ?? [])'],
    ],
  },
  {
    task: 'memory',
    name: 'written when the process is in already, and with newlines',
    edits: [
      ["    if (limit) set(cgroup, 'memory', ['memory.limit_in_bytes', limit], ['memory.max', limit])\n", ''],
      [
        '  attach({ cgroup }, pid) {\n',
        `  attach({ cgroup, spec }, pid) {
    const { limit, swap } = spec.linux.resources?.memory ?? {}
    if (limit) set(cgroup!, 'memory', ['memory.limit_in_bytes', \`\${limit}\\n\`], ['memory.max', \`\${limit}\\n\`])
`,
      ],
      ['    if (limit && swap)\n', ''],
      [
        "      set(cgroup, 'memory', ['memory.memsw.limit_in_bytes', swap], ['memory.swap.max', swap - limit])\n",
        '',
      ],
      [
        '    // it still waits',
        `    if (limit && swap) set(cgroup!, 'memory', ['memory.memsw.limit_in_bytes', swap], ['memory.swap.max', swap - limit])
    // it still waits`,
      ],
    ],
  },
  {
    task: 'cpu',
    name: 'the quota before the period',
    edits: [
      [
        "    if (quota) set(cgroup, 'cpu', ['cpu.cfs_period_us', period], ['cpu.max', `${quota} ${period}`])\n",
        "    if (quota) set(cgroup, 'cpu', ['cpu.cfs_quota_us', quota], ['cpu.max', `${quota} ${period}`])\n",
      ],
      [
        "    if (quota) set(cgroup, 'cpu', ['cpu.cfs_quota_us', quota])\n",
        "    if (quota) set(cgroup, 'cpu', ['cpu.cfs_period_us', period])\n",
      ],
    ],
  },
  {
    task: 'pids',
    name: 'by a child process that writes it',
    edits: [
      [
        "import { join } from 'node:path'\n",
        "import { join } from 'node:path'\nimport { execFileSync } from 'node:child_process'\n",
      ],
      [
        "set(cgroup, 'pids', ['pids.max', pids.limit], ['pids.max', pids.limit])",
        "execFileSync('sh', ['-c', `echo ${pids.limit} > ${cgroup.controller('pids')!.path}/pids.max`])",
      ],
    ],
  },
  {
    task: 'freeze',
    name: 'looks again every ten milliseconds',
    edits: [
      [
        "await until(() => readFileSync(file, 'utf8').trim() === state, 5000)",
        "while (readFileSync(file, 'utf8').trim() !== state) await new Promise(resolve => setTimeout(resolve, 10))",
      ],
      [
        "await until(() => readFileSync(events, 'utf8').includes(`frozen ${state}`), 5000, events)",
        "while (!readFileSync(events, 'utf8').includes(`frozen ${state}`)) await new Promise(resolve => setTimeout(resolve, 10))",
      ],
    ],
  },
  {
    task: 'memory',
    name: 'numbers as they are',
    edits: [['writeControl(join(path, file), String(value))', 'writeControl(join(path, file), value)']],
  },
]
