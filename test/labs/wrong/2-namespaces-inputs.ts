import type { WrongAnswer } from '../../../lib/labs/answer.ts'

// Wrong answers to lab 2 that are right for the container that one sees, and wrong for another; and slips of the language.

const NAME = 'tape.sethostname(spec.hostname, Buffer.byteLength(spec.hostname))'
const NAMED = "if (has(spec, 'uts') && spec.hostname)"
const FLAGS = 'flags | (WITH_CLONE[type] ?? 0)'
const CGROUP = "    if (has(spec, 'cgroup')) tape.unshare(CLONE_NEWCGROUP)\n"
const UIDS = '    writeControl(`/proc/${pid}/uid_map`, lines(spec.linux.uidMappings))\n'
const GIDS = '    writeControl(`/proc/${pid}/gid_map`, lines(spec.linux.gidMappings))\n'
const DENY = "    if (process.getuid?.() !== 0) writeControl(`/proc/${pid}/setgroups`, 'deny')\n"
const JOINED =
  "mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\\n`).join('')"
const PRIVATE = "if (has(spec, 'mount')) tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)"

const noDeny: WrongAnswer = {
  task: 'map',
  name: 'no deny',
  belief: 'setgroups has nothing to do with maps',
  edits: [[DENY, '']],
  says: 'setgroups',
}

export const wrongInputs: WrongAnswer[] = [
  {
    task: 'pid',
    name: 'a pidfd',
    belief: 'whatever has pid in its name is about the pid namespace',
    edits: [
      ['  CLONE_NEWPID,\n', '  CLONE_PIDFD,\n'],
      ['  pid: CLONE_NEWPID,\n', '  pid: CLONE_PIDFD,\n'],
    ],
    says: 'returned CLONE_PIDFD, which is no namespace',
  },
  {
    task: 'uts',
    name: 'the name of the step',
    belief: 'a container is called minilab',
    edits: [[NAME, "tape.sethostname('minilab', 7)"]],
    says: 'spec.hostname',
  },
  {
    task: 'uts',
    name: 'one byte too few',
    belief: 'the length is the place of the last byte',
    edits: [[NAME, 'tape.sethostname(spec.hostname, Buffer.byteLength(spec.hostname) - 1)']],
    says: 'the length is in bytes',
  },
  {
    task: 'uts',
    name: 'counted in characters',
    belief: 'a character is a byte',
    edits: [[NAME, 'tape.sethostname(spec.hostname, spec.hostname.length)']],
    says: 'in bytes',
  },
  {
    task: 'uts',
    name: 'flags by &',
    belief: '& puts flags together',
    edits: [[FLAGS, 'flags & (WITH_CLONE[type] ?? 0)']],
    says: 'clone it with CLONE_NEWUSER',
  },
  {
    task: 'pid',
    name: 'flags by ||',
    belief: '|| is a longer way to write |',
    edits: [[FLAGS, 'flags || (WITH_CLONE[type] ?? 0)']],
    says: 'ask for both at once: CLONE_NEWUSER and CLONE_NEWNS',
  },
  {
    task: 'all',
    name: 'the names under /proc/self/ns',
    belief: "the specification has the kernel's names: mnt and net",
    edits: [
      ['  mount: CLONE_NEWNS,\n', '  mnt: CLONE_NEWNS,\n'],
      ['  network: CLONE_NEWNET,\n', '  net: CLONE_NEWNET,\n'],
    ],
    says: 'ask for both at once: CLONE_NEWUSER and CLONE_NEWNS',
  },
  {
    task: 'all',
    name: 'a cgroup namespace for everybody',
    belief: 'what the child makes itself need not be asked for',
    edits: [[CGROUP, '    tape.unshare(CLONE_NEWCGROUP)\n']],
    says: 'does not ask for',
  },
  {
    task: 'all',
    name: 'the cgroup with the clone',
    belief: 'all eight are flags of the clone',
    edits: [
      ['  ipc: CLONE_NEWIPC,\n', '  ipc: CLONE_NEWIPC,\n  cgroup: CLONE_NEWCGROUP,\n'],
      [CGROUP, ''],
    ],
    says: 'unshare(CLONE_NEWCGROUP)',
  },
  {
    task: 'all',
    name: 'the name for everybody',
    belief: 'who has a name in the specification has a uts namespace for it',
    edits: [[NAMED, 'if (spec.hostname)']],
    says: 'uts',
  },
  {
    task: 'all',
    name: 'case after case',
    belief: 'a case ends where the next one begins',
    edits: [
      [
        'return linux.namespaces.reduce((flags, { type }) => flags | (WITH_CLONE[type] ?? 0), 0)',
        `let flags = 0
    for (const { type } of linux.namespaces)
      switch (type) {
        case 'ipc':
          flags |= CLONE_NEWIPC
        case 'network':
          flags |= CLONE_NEWNET
          break
        default:
          flags |= WITH_CLONE[type] ?? 0
      }
    return flags`,
      ],
    ],
    says: 'spec.linux.namespaces asks for none',
  },
  {
    task: 'map',
    name: 'the first entry',
    belief: 'a map is one line',
    edits: [[JOINED, JOINED.replace('mappings.map', 'mappings.slice(0, 1).map')]],
    rootOnly: 'without root a map has one entry',
    says: 'for each entry',
  },
  {
    task: 'map',
    name: 'a write for each line',
    belief: 'a file that takes lines takes them one by one',
    edits: [
      [
        UIDS,
        UIDS.replace('    write', '    for (const entry of spec.linux.uidMappings ?? []) write').replace(
          'spec.linux.uidMappings))',
          '[entry]))',
        ),
      ],
      [
        GIDS,
        GIDS.replace('    write', '    for (const entry of spec.linux.gidMappings ?? []) write').replace(
          'spec.linux.gidMappings))',
          '[entry]))',
        ),
      ],
    ],
    rootOnly: 'without root a map has one entry',
    says: 'a map can be written only once',
  },
  {
    task: 'map',
    name: 'commas between the lines',
    belief: 'a list put into a text becomes its lines',
    edits: [[JOINED, JOINED.replace(".join('')", '.toString()')]],
    rootOnly: 'without root a map has one entry',
    says: 'a line of a map is',
  },
  {
    task: 'map',
    name: 'groups as users',
    belief: 'groups are mapped as their users are',
    edits: [[GIDS, GIDS.replace('gidMappings', 'uidMappings')]],
    says: 'in gid_map',
  },
  {
    task: 'map',
    name: 'the last id',
    belief: 'the third number is where the range ends',
    edits: [['${hostID} ${size}', '${hostID} ${containerID + size - 1}']],
    rootOnly: 'without root a map has one entry',
    says: 'and the count',
  },
  {
    task: 'map',
    name: 'deny always',
    belief: 'setgroups has to be denied for every map of groups',
    edits: [[DENY, DENY.replace('if (process.getuid?.() !== 0) ', '')]],
    rootOnly: 'without root setgroups is denied already',
    says: 'setgroups',
  },
  // an ordinary user's containers have inherited it, so nothing tells
  ...(process.getuid?.() === 0 ? [noDeny] : []),
  {
    task: 'map',
    name: 'deny after the maps',
    belief: 'what is denied can be said afterwards',
    edits: [
      [DENY, ''],
      [GIDS, `${GIDS}${DENY}`],
    ],
    says: 'setgroups',
  },
  {
    task: 'map',
    name: 'not awaited',
    belief: 'what was begun in attach is done when attach has ended',
    edits: [
      ['import {\n', "import { writeFile } from 'node:fs/promises'\nimport {\n"],
      [UIDS, UIDS.replace('writeControl', 'void writeFile')],
      [GIDS, GIDS.replace('writeControl', 'void writeFile')],
    ],
    says: 'nothing waits for the promise',
  },
  {
    task: 'private',
    name: 'flags by &',
    belief: '& puts flags together',
    edits: [['MS_REC | MS_PRIVATE', 'MS_REC & MS_PRIVATE']],
    says: 'mount(NULL, "/", NULL, 0, NULL)',
  },
  {
    task: 'private',
    name: 'those that everybody knows',
    belief: 'it is enough for /, /proc, /sys and /dev',
    edits: [
      [
        PRIVATE,
        "for (const path of ['/', '/proc', '/sys', '/dev']) tape.mount(null, path, null, MS_PRIVATE, null)",
      ],
    ],
    says: 'MS_REC is missing',
  },
  {
    task: 'private',
    name: 'without being asked',
    belief: 'it does no harm where there is no mount namespace',
    edits: [[PRIVATE, "tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)"]],
    says: 'mount namespace',
  },
]
