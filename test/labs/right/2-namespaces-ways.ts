import type { RightAnswer } from '../../../lib/labs/answer.ts'

// Right answers to lab 2 that few would write.

const UIDS = '    writeControl(`/proc/${pid}/uid_map`, lines(spec.linux.uidMappings))\n'
const GIDS = '    writeControl(`/proc/${pid}/gid_map`, lines(spec.linux.gidMappings))\n'
const DENY = "    if (process.getuid?.() !== 0) writeControl(`/proc/${pid}/setgroups`, 'deny')\n"
const BECOME = `    if (has(spec, 'user')) {
      tape.setresgid(0, 0, 0)
      tape.setresuid(0, 0, 0)
    }
`
const NAMED =
  "    if (has(spec, 'uts') && spec.hostname) tape.sethostname(spec.hostname, Buffer.byteLength(spec.hostname))\n"

export const rightWays: RightAnswer[] = [
  {
    task: 'all',
    name: 'the challenge, too: clocks that are moved',
    edits: [
      [
        UIDS,
        `${UIDS}    for (const [clock, { secs = 0, nanosecs = 0 }] of Object.entries(spec.linux.timeOffsets ?? {}))
      if (secs || nanosecs) writeControl(\`/proc/\${pid}/timens_offsets\`, \`\${clock} \${secs} \${nanosecs}\`)
`,
      ],
    ],
  },
  {
    task: 'uts',
    name: 'bytes by TextEncoder',
    edits: [['Buffer.byteLength(spec.hostname)', 'new TextEncoder().encode(spec.hostname).length']],
  },
  {
    task: 'all',
    name: 'a sum over a set',
    edits: [
      [
        'return linux.namespaces.reduce((flags, { type }) => flags | (WITH_CLONE[type] ?? 0), 0)',
        `let sum = 0
    for (const type of new Set(linux.namespaces.map(asked => asked.type))) sum += WITH_CLONE[type] ?? 0
    return sum`,
      ],
    ],
  },
  {
    task: 'map',
    name: 'async, both at once',
    edits: [
      ['import {\n', "import { writeFile } from 'node:fs/promises'\nimport {\n"],
      ['  attach({ spec }, pid) {', '  async attach({ spec }, pid) {'],
      [
        `${UIDS}${GIDS}`,
        '    await Promise.all([writeFile(`/proc/${pid}/uid_map`, lines(spec.linux.uidMappings)), writeFile(`/proc/${pid}/gid_map`, lines(spec.linux.gidMappings))])\n',
      ],
    ],
  },
  {
    task: 'map',
    name: 'deny between the two maps, no newline at the end',
    edits: [
      [DENY, ''],
      [GIDS, `    if (process.geteuid!()) writeControl(\`/proc/\${pid}/setgroups\`, 'deny')\n${GIDS}`],
      ["${size}\\n`).join('')", "${size}`).join('\\n')"],
    ],
  },
  {
    task: 'map',
    name: 'becomes root last of all',
    edits: [
      [BECOME, ''],
      [NAMED, `${NAMED}${BECOME}`],
    ],
  },
  {
    task: 'map',
    name: 'becomes root in every container',
    edits: [[BECOME, '    tape.setresgid(0, 0, 0)\n    tape.setresuid(0, 0, 0)\n']],
  },
  {
    task: 'private',
    name: 'a source and a type that nobody reads',
    edits: [
      [
        "tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)",
        "tape.mount('none', '/', '', MS_PRIVATE + MS_REC, '')",
      ],
    ],
  },
]
