import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { wrongInputs } from './2-namespaces-inputs.ts'

const NAME =
  "    if (has(spec, 'uts') && spec.hostname) tape.sethostname(spec.hostname, Buffer.byteLength(spec.hostname))\n"
const UTS = '  uts: CLONE_NEWUTS,\n'
const PID = '  pid: CLONE_NEWPID,\n'
const CGROUP = "    if (has(spec, 'cgroup')) tape.unshare(CLONE_NEWCGROUP)\n"
const FLAGS = 'return linux.namespaces.reduce((flags, { type }) => flags | (WITH_CLONE[type] ?? 0), 0)'
const GROUP = '      tape.setresgid(0, 0, 0)\n'
const USER = '      tape.setresuid(0, 0, 0)\n'
const UIDS = '    writeControl(`/proc/${pid}/uid_map`, lines(spec.linux.uidMappings))\n'
const GIDS = '    writeControl(`/proc/${pid}/gid_map`, lines(spec.linux.gidMappings))\n'
const PRIVATE = "tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)"
const INSIDE = '  inside(tape, { spec }) {\n'
const ATTACH = '  attach({ spec }, pid) {\n'

export const wrong: WrongAnswer[] = [
  ...wrongInputs,
  {
    task: 'uts',
    name: 'no name',
    belief: 'a new uts namespace has the name that the specification says',
    edits: [[NAME, '']],
    says: 'keeps that name until sethostname is called',
  },
  {
    task: 'uts',
    name: 'no flag',
    belief: 'the name of a process is its own',
    edits: [[UTS, '']],
    says: 'ask for CLONE_NEWUTS',
  },
  {
    task: 'uts',
    name: 'before the clone',
    belief: 'the child takes over what was set before',
    edits: [
      [NAME, ''],
      [ATTACH, `${ATTACH}    writeControl('/proc/sys/kernel/hostname', spec.hostname ?? '')\n`],
    ],
    says: 'The reference also calls `sethostname(', // an ordinary user is refused before
  },
  {
    task: 'uts',
    name: 'the name first',
    belief: 'in which order the child does it is all the same',
    edits: [
      [UTS, ''],
      [NAME, `${NAME}    tape.unshare(CLONE_NEWUTS)\n`],
    ],
    says: 'the host name belongs to the uts namespace, and we have no rights over it',
  },

  {
    task: 'pid',
    name: 'no flag',
    belief: 'with a uts namespace it is alone',
    edits: [[PID, '']],
    says: 'CLONE_NEWPID is missing',
  },
  {
    task: 'pid',
    name: 'unshare',
    belief: 'unshare moves the caller into the new namespace',
    edits: [
      [PID, ''],
      [INSIDE, `${INSIDE}    tape.unshare(CLONE_NEWPID)\n`],
    ],
    says: 'nothing forked after it',
  },
  {
    task: 'pid',
    name: 'forks once more',
    belief: 'also after a clone with CLONE_NEWPID only the next child is inside',
    edits: [
      ['import {\n', 'import {\n  CLONE_VFORK,\n  CLONE_VM,\n'],
      [CGROUP, `${CGROUP}    tape.become({ flags: CLONE_VM | CLONE_VFORK, exitSignal: 17 })\n`],
    ],
    says: 'ended',
  },

  {
    task: 'all',
    name: 'no cgroup',
    belief: 'what cannot come with the clone comes by itself',
    edits: [[CGROUP, '']],
    says: 'unshare(CLONE_NEWCGROUP) was never called',
  },
  {
    task: 'all',
    name: 'no time',
    belief: 'time is the same for everybody',
    edits: [['  time: CLONE_NEWTIME,\n', '']],
    says: 'CLONE_NEWTIME is missing',
  },
  {
    task: 'all',
    name: 'no mount',
    belief: 'a user namespace brings its own mounts along',
    edits: [
      ['  mount: CLONE_NEWNS,\n', ''],
      [PRIVATE, 'void 0'],
    ],
    says: 'CLONE_NEWNS is missing',
  },
  {
    task: 'all',
    name: 'always all',
    belief: 'a container has all eight',
    edits: [
      [
        FLAGS,
        'return linux.namespaces.length && Object.values(WITH_CLONE).reduce((flags, flag) => flags | flag)',
      ],
    ],
    says: 'the flags are always the same',
  },
  {
    task: 'map',
    name: 'by unshare',
    belief: 'the child can take each for itself, the user namespace as well',
    edits: [
      ['  user: CLONE_NEWUSER,\n', ''],
      [INSIDE, `${INSIDE}    tape.unshare(CLONE_NEWUSER)\n`],
    ],
    says: 'that process is in our own user namespace',
  },
  {
    task: 'map',
    name: 'no maps',
    belief: 'a new user namespace knows its users',
    edits: [
      [UIDS, ''],
      [GIDS, ''],
    ],
    says: 'setresgid(0, 0, 0) = -1 EINVAL',
  },
  {
    task: 'map',
    name: 'no groups',
    belief: 'groups go with their users',
    edits: [[GIDS, '']],
    says: 'gid_map was not written',
  },
  {
    task: 'map',
    name: 'nobody becomes root',
    belief: 'no map is needed where nobody changes his user',
    edits: [
      [UIDS, ''],
      [GIDS, ''],
      [GROUP, ''],
      [USER, ''],
    ],
    says: 'was not written',
  },
  {
    task: 'map',
    name: 'everybody himself',
    belief: 'the user namespace is enough, and all may stay who they are',
    edits: [[UIDS, "    writeControl(`/proc/${pid}/uid_map`, '0 0 4294967295')\n"]],
    says: 'uid_map',
  },
  {
    task: 'map',
    name: 'our own map',
    belief: 'self is the container',
    edits: [[UIDS, '    writeControl(`/proc/self/uid_map`, lines(spec.linux.uidMappings))\n']],
    says: 'write("/proc/self/uid_map"',
  },
  {
    task: 'map',
    name: 'somebody else',
    belief: "a container's first user is 1000, as on a desktop",
    edits: [[USER, '      tape.setresuid(1000, 1000, 1000)\n']],
    says: 'setresuid',
  },
  {
    task: 'map',
    name: 'twice',
    belief: 'a map can be corrected',
    edits: [[UIDS, `${UIDS}${UIDS}`]],
    says: 'a map can be written only once',
  },
  {
    task: 'map',
    name: 'the columns swapped',
    belief: 'outside comes first, as in `-p 8080:80`',
    edits: [['`${containerID} ${hostID} ${size}\\n`', '`${hostID} ${containerID} ${size}\\n`']],
    says: '_map', // with root the map of the step's own container is refused already
  },
  {
    task: 'map',
    name: 'the group stays',
    belief: 'who is user 0 is group 0',
    edits: [['      tape.setresgid(0, 0, 0)\n', '']],
    says: 'it never called setresgid',
  },

  {
    task: 'private',
    name: 'left out',
    belief: 'a mount namespace of its own is separate',
    edits: [[PRIVATE, 'void 0']],
    says: 'MS_REC|MS_PRIVATE, NULL) cuts both ties',
  },
  {
    task: 'private',
    name: 'only the root',
    belief: 'what holds for / holds for all below it',
    edits: [['MS_REC | MS_PRIVATE', 'MS_PRIVATE']],
    says: 'MS_REC is missing',
  },
  {
    task: 'private',
    name: 'slave',
    belief: 'it is enough that nothing gets out',
    edits: [
      ['  MS_REC,\n', '  MS_REC,\n  MS_SLAVE,\n'],
      ['MS_REC | MS_PRIVATE', 'MS_REC | MS_SLAVE'],
    ],
    says: 'what the host mounts appears in the container',
  },
  {
    task: 'private',
    name: 'no mount namespace',
    belief: 'private mounts are seen by one process only',
    edits: [['  mount: CLONE_NEWNS,\n', '']],
    says: 'ask for both at once: CLONE_NEWUSER and CLONE_NEWNS',
  },
]
