import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { JOIN, MEMORY, MKDIR, NODE_PATH, PIDS, QUOTA } from '../lines/4-limits.ts'

// Other times, and other calls of Node's.

const PREPARE = '  prepare(container) {\n'
const ASYNC = '  async prepare(container) {\n'

export const rightOthers: RightAnswer[] = [
  {
    task: 'join',
    name: 'all of it in attach',
    edits: [
      [PREPARE, '  attach(container, pid) {\n'],
      ['  },\n\n  attach({ cgroup }, pid) {\n', ''],
      [JOIN, JOIN.replace('cgroup?.folders ?? []', 'cgroup.folders')],
    ],
  },
  {
    task: 'join',
    name: 'by a program that is waited for',
    edits: [
      [
        NODE_PATH,
        `import { execFile } from 'node:child_process'\nimport { promisify } from 'node:util'\n${NODE_PATH}`,
      ],
      [PREPARE, ASYNC],
      [MKDIR, "    await promisify(execFile)('mkdir', cgroup.folders.map(folder => folder.path))\n"],
    ],
  },
  {
    task: 'join',
    name: 'by a callback in a promise, handed back without async',
    edits: [
      [NODE_PATH, `import { writeFile } from 'node:fs'\n${NODE_PATH}`],
      [
        JOIN,
        `    const one = (path: string) =>
      new Promise<void>((done, fail) =>
        writeFile(join(path, 'cgroup.procs'), String(pid), error => (error ? fail(error) : done())),
      )
    return Promise.all((cgroup?.folders ?? []).map(folder => one(folder.path))).then(() => {})
`,
      ],
    ],
  },
  {
    task: 'memory',
    name: 'by a file handle',
    edits: [
      [NODE_PATH, `import { open } from 'node:fs/promises'\n${NODE_PATH}`],
      [PREPARE, ASYNC],
      [
        MEMORY,
        `    if (limit) {
      const { version, path } = cgroup.controller('memory')!
      await using file = await open(join(path, version === 1 ? 'memory.limit_in_bytes' : 'memory.max'), 'r+')
      await file.write(String(limit))
    }
`,
      ],
    ],
  },
  {
    task: 'cpu',
    name: 'shares besides',
    edits: [[QUOTA, `${QUOTA}    if (quota) set(cgroup, 'cpu', ['cpu.shares', 512], ['cpu.weight', 50])\n`]],
  },
  {
    task: 'pids',
    name: 'written when it has joined',
    edits: [
      [PIDS, ''],
      ['  attach({ cgroup }, pid) {\n', '  attach({ cgroup, spec }, pid) {\n'],
      [
        JOIN,
        `${JOIN}    const max = spec.linux.resources?.pids?.limit
    if (max !== undefined) writeControl(join(cgroup!.controller('pids')!.path, 'pids.max'), max)
`,
      ],
    ],
  },
  {
    task: 'freeze',
    name: 'waits by a function that calls itself',
    edits: [
      [NODE_PATH, `import { setTimeout as pause } from 'node:timers/promises'\n${NODE_PATH}`],
      [
        "    await until(() => readFileSync(file, 'utf8').trim() === state, 5000)\n",
        "    const wait = async (): Promise<void> =>\n      readFileSync(file, 'latin1') === `${state}\\n` ? undefined : pause(2).then(wait)\n    await wait()\n",
      ],
    ],
  },
]
