import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { NODE_PATH } from '../lines/4-limits.ts'

// What few would write.

const MKDIR = '    for (const { path } of cgroup.folders) mkdirSync(path)\n'
const JOIN =
  "    for (const { path } of cgroup?.folders ?? []) writeControl(join(path, 'cgroup.procs'), String(pid))\n"
const PREPARE = '  prepare(container) {\n'
const ATTACH = '  attach({ cgroup }, pid) {\n'
const DONE_V1 = "    await until(() => readFileSync(file, 'utf8').trim() === state, 5000)\n"
const DONE_V2 =
  "    await until(() => readFileSync(events, 'utf8').includes(`frozen ${state}`), 5000, events)\n"

export const rightWays: RightAnswer[] = [
  {
    task: 'join',
    name: 'by promises that are awaited',
    edits: [
      [NODE_PATH, `import { mkdir, writeFile } from 'node:fs/promises'\n${NODE_PATH}`],
      [PREPARE, PREPARE.replace('prepare', 'async prepare')],
      [ATTACH, ATTACH.replace('attach', 'async attach')],
      [MKDIR, '    await Promise.all(cgroup.folders.map(folder => mkdir(folder.path)))\n'],
      [
        JOIN,
        "    for (const { path } of cgroup!.folders) await writeFile(join(path, 'cgroup.procs'), `${pid}\\n`)\n",
      ],
    ],
  },
  {
    task: 'join',
    name: "the plan kept by its container's id",
    edits: [
      ['export const limits', 'const plans = new Map<string, Cgroup>()\n\nexport const limits'],
      [MKDIR, `${MKDIR}    plans.set(container.id, cgroup)\n`],
      [ATTACH, ATTACH.replace('{ cgroup }', '{ id }')],
      [JOIN, JOIN.replace('cgroup?.folders', 'plans.get(id)?.folders')],
    ],
  },
  {
    task: 'memory',
    name: "bytes as the kernel's K, written by writeFileSync",
    edits: [
      ['import { existsSync,', 'import { existsSync, writeFileSync,'],
      [
        "['memory.limit_in_bytes', limit], ['memory.max', limit]",
        "['memory.limit_in_bytes', `${limit >> 10}K`], ['memory.max', `${limit >> 10}K`]",
      ],
      [
        'writeControl(join(path, file), String(value))',
        'writeFileSync(join(path, file), new TextEncoder().encode(`${value}\\n`))',
      ],
    ],
  },
  {
    task: 'freeze',
    name: 'waits until it is no longer FREEZING, by then',
    edits: [
      [
        DONE_V1,
        "    return until(() => !readFileSync(file, 'ascii').includes('ING'), 9000).then(() => undefined)\n",
      ],
    ],
  },
  {
    task: 'freeze',
    name: 'says it anew until it is so, as runc does on v1',
    edits: [
      [
        DONE_V1,
        `    while (String(readFileSync(file)).trimEnd() !== state) {
      await new Promise<void>(go => void setTimeout(go, 5))
      writeControl(file, state)
    }
`,
      ],
    ],
  },
  {
    task: 'freeze',
    name: 'looks without a pause',
    edits: [
      [DONE_V1, "    while (readFileSync(file, 'utf8').trim() !== state);\n"],
      [DONE_V2, "    while (!readFileSync(events, 'utf8').includes(`frozen ${state}`));\n"],
    ],
  },
]
