// Every field of the runtime specification (1.0.2, and what later versions have added as far as we know it), and what proves it: a test by
// its file and title, or the refusal. fields.test.ts compares the table with the shapes that `create` checks, and tries each refusal.

type Proof =
  /** a test, whose title begins with this text */
  | { test: string; in: string }
  /** a value that is refused by the field's name */
  | { refused: unknown }
  | { ignored: string }

const view = (test: string): Proof => ({ test, in: 'oci/same-view' })
const docker = (test: string): Proof => ({ test, in: 'oci/docker' })
const command = (test: string): Proof => ({ test, in: 'oci/commands' })
const corner = (test: string): Proof => ({ test, in: 'oci/corner-cases' })
const limit = (test: string): Proof => ({ test, in: 'container/limits' })
const seccomp = (test: string): Proof => ({ test, in: 'container/seccomp' })
const idmapped = (test: string): Proof => ({ test, in: 'oci/idmapped' })
const here = (test: string): Proof => ({ test, in: 'oci/fields' })

/** Fields that share a proof. */
const each = (proof: Proof, ...names: string[]): Record<string, Proof> =>
  Object.fromEntries(names.map(name => [name, proof]))

const HOOKS = command('hooks run in their order')
const KINDS = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop']
const FURTHER = limit('further limits')
const ON_V1 = limit('every limit has its file on v1')

export const FIELDS: Record<string, Proof> = {
  // config.md
  ociVersion: command('create, state, start, kill, delete'),
  ...each(view('as runc spec writes it'), 'root', 'root.path', 'linux', 'process', 'mounts'),
  'root.readonly': view('a writable root'),
  hostname: view('host and domain name'),
  domainname: view('host and domain name'),
  annotations: command('a hook inside gets a state of any size'),
  'mounts[].destination': view('a volume at a link'),
  'mounts[].type': view('a tmpfs'),
  'mounts[].source': view('a file as a volume'),
  'mounts[].options': view('a volume, read-only and more'),
  ...each(
    idmapped('own map'),
    ...['uid', 'gid'].flatMap(kind =>
      ['', '[].containerID', '[].hostID', '[].size'].map(name => `mounts[].${kind}Mappings${name}`),
    ),
  ),
  ...each(HOOKS, 'hooks', ...KINDS.map(kind => `hooks.${kind}`)),
  ...each(
    HOOKS,
    ...KINDS.flatMap(kind => ['path', 'args', 'env', 'timeout'].map(name => `hooks.${kind}[].${name}`)),
  ),

  // config.md, "Process"
  'process.terminal': docker('-t'),
  ...each(
    here('the size of the terminal'),
    'process.consoleSize',
    'process.consoleSize.width',
    'process.consoleSize.height',
  ),
  'process.cwd': view('environment and directory'),
  'process.env': view('environment and directory'),
  'process.args': docker('runs a program'),
  ...each(
    view('groups and umask'),
    'process.user',
    'process.user.uid',
    'process.user.gid',
    'process.user.umask',
    'process.user.additionalGids',
  ),
  ...each(
    view('all five sets of capabilities'),
    ...['', '.bounding', '.effective', '.permitted', '.inheritable', '.ambient'].map(
      set => `process.capabilities${set}`,
    ),
  ),
  ...each(
    view('limits of the process'),
    ...['', '[].type', '[].soft', '[].hard'].map(name => `process.rlimits${name}`),
  ),
  'process.noNewPrivileges': view('new privileges'),
  'process.oomScoreAdj': view('oom_score_adj'),
  ...each(
    here('the scheduler'),
    ...['', '.policy', '.nice', '.priority', '.flags', '.runtime', '.deadline', '.period'].map(
      name => `process.scheduler${name}`,
    ),
  ),
  ...each(
    here('the priority of input and output'),
    'process.ioPriority',
    'process.ioPriority.class',
    'process.ioPriority.priority',
  ),
  'process.execCPUAffinity': { refused: { initial: '0' } },
  'process.apparmorProfile': { refused: 'x' },
  'process.selinuxLabel': { refused: 'x' },

  // config-linux.md
  'linux.namespaces': view('the network of the host'),
  'linux.namespaces[].type': command('as runc: %s'),
  'linux.namespaces[].path': view('a joined network namespace'),
  ...each(
    view('a user namespace'),
    ...['uid', 'gid'].flatMap(kind =>
      ['', '[].containerID', '[].hostID', '[].size'].map(name => `linux.${kind}Mappings${name}`),
    ),
  ),
  ...each(
    here('the offsets of clocks'),
    'linux.timeOffsets',
    ...['monotonic', 'boottime'].flatMap(clock =>
      ['', '.secs', '.nanosecs'].map(name => `linux.timeOffsets.${clock}${name}`),
    ),
  ),
  ...each(
    view('devices'),
    ...['', '[].type', '[].path', '[].major', '[].minor', '[].fileMode', '[].uid', '[].gid'].map(
      name => `linux.devices${name}`,
    ),
  ),
  'linux.netDevices': { refused: { eth0: {} } },
  'linux.cgroupsPath': corner('as runc: %s'),
  'linux.rootfsPropagation': view('a slave root'),
  'linux.maskedPaths': view('masked paths of the image'),
  'linux.readonlyPaths': view('read-only paths of the image'),
  'linux.mountLabel': { refused: 'x' },
  'linux.sysctl': view('sysctl'),
  ...each(
    here('the personality'),
    'linux.personality',
    'linux.personality.domain',
    'linux.personality.flags',
  ),
  'linux.intelRdt': { refused: { closID: 'x' } },
  ...each(
    { test: 'another program decides about calls, %s', in: 'oci/notify' },
    'linux.seccomp.listenerPath',
    'linux.seccomp.listenerMetadata',
  ),
  ...each(view('seccomp'), 'linux.seccomp', 'linux.seccomp.defaultAction', 'linux.seccomp.syscalls'),
  ...each(
    view('seccomp'),
    ...['names', 'action', 'errnoRet'].map(name => `linux.seccomp.syscalls[].${name}`),
  ),
  'linux.seccomp.defaultErrnoRet': seccomp('a call newer than the profile'),
  'linux.seccomp.architectures': seccomp('another architecture is refused'),
  'linux.seccomp.flags': seccomp('flags are those of seccomp(2)'),
  ...each(
    seccomp('comparisons of different arguments'),
    ...['', '[].index', '[].value', '[].valueTwo', '[].op'].map(
      name => `linux.seccomp.syscalls[].args${name}`,
    ),
  ),

  // config-linux.md, "Control groups"
  'linux.resources': view('memory'),
  ...each(
    view('device rules'),
    ...['', '[].allow', '[].type', '[].major', '[].minor', '[].access'].map(
      name => `linux.resources.devices${name}`,
    ),
  ),
  ...each(ON_V1, ...['', '.limit', '.reservation', '.swap'].map(name => `linux.resources.memory${name}`)),
  'linux.resources.memory.swappiness': view('memory'),
  'linux.resources.memory.disableOOMKiller': view('no OOM killer'),
  'linux.resources.memory.kernelTCP': FURTHER,
  'linux.resources.memory.kernel': { refused: 1 << 20 },
  'linux.resources.memory.useHierarchy': { refused: true },
  'linux.resources.memory.checkBeforeUpdate': { refused: true },
  ...each(
    ON_V1,
    ...['', '.shares', '.quota', '.period', '.cpus', '.mems'].map(name => `linux.resources.cpu${name}`),
  ),
  ...each(
    FURTHER,
    ...['burst', 'idle', 'realtimeRuntime', 'realtimePeriod'].map(name => `linux.resources.cpu.${name}`),
  ),
  ...each(ON_V1, 'linux.resources.pids', 'linux.resources.pids.limit'),
  ...each(
    FURTHER,
    ...[
      '',
      '.weight',
      '.weightDevice',
      '.weightDevice[].major',
      '.weightDevice[].minor',
      '.weightDevice[].weight',
    ].map(name => `linux.resources.blockIO${name}`),
    ...['ReadBps', 'WriteBps', 'ReadIOPS', 'WriteIOPS'].flatMap(kind =>
      ['', '[].major', '[].minor', '[].rate'].map(
        name => `linux.resources.blockIO.throttle${kind}Device${name}`,
      ),
    ),
  ),
  'linux.resources.blockIO.leafWeight': { refused: 10 },
  ...each(FURTHER, ...['', '[].pageSize', '[].limit'].map(name => `linux.resources.hugepageLimits${name}`)),
  'linux.resources.unified': FURTHER,
  'linux.resources.network': { refused: { classID: 1 } },
  'linux.resources.rdma': FURTHER,

  // other systems
  ...each(
    { ignored: 'for another operating system, or for virtual machines' },
    'solaris',
    'windows',
    'vm',
    'zos',
    'freebsd',
  ),
}
