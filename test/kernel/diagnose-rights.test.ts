import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { hierarchies } from '../../lib/kernel/cgroup/cgroupfs.ts'
import * as c from '../../lib/kernel/syscalls/constants.ts'
import { writeControl } from '../../lib/kernel/cgroup/control-file.ts'
import { launch } from '../../lib/kernel/tape/launch.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'
import type { SyscallError } from '../../lib/kernel/syscalls/syscall-error.ts'
import { Tape } from '../../lib/kernel/tape/tape.ts'
import { isRoot } from './is-root.ts'
import { atGate, folder, refusal } from './replay.ts'
import { expectSaid, type Said } from './said.ts'

// As diagnose.test.ts, for what depends on who we are and where: refusals of ourselves, of an ordinary user, in a container.

const { CLONE_NEWNS, CLONE_NEWUSER } = c

/** The error that a launch itself ends with. */
async function launchRefusal(flags: number): Promise<SyscallError> {
  return launch(new Tape(), flags).replayed.then(
    () => expect.fail('clone3 was not refused'),
    (error: unknown) => error as SyscallError,
  )
}

/** The error that `act` throws. */
function thrown(act: () => unknown): SyscallError {
  try {
    act()
  } catch (error) {
    return error as SyscallError
  }
  return expect.fail('it was not refused')
}

describe('a refusal here', () => {
  test('clone3 with flags that exclude each other', async () => {
    expectSaid(await launchRefusal(c.CLONE_FS | CLONE_NEWNS), {
      error: 'clone3 EINVAL',
      cause: /exclude each other, or this kernel lacks one/,
      remedy: /ls \/proc\/self\/ns/,
    })
  })

  test('unshare of the user namespace in a process of several threads, such as ours', () => {
    expectSaid(
      thrown(() => now.unshare(CLONE_NEWUSER)),
      {
        error: 'unshare EINVAL',
        cause: /several threads, such as Node/,
        remedy: /clone3 with CLONE_NEWUSER/,
      },
    )
  })

  test('joining a process that has gone', async () => {
    const child = spawn('sleep', ['60'])
    await once(child, 'spawn')
    const pidfd = now.pidfd_open(child.pid!, 0)
    child.kill()
    await once(child, 'exit')
    const tape = new Tape()
    tape.setns(pidfd, CLONE_NEWNS)
    const error = await refusal(tape, CLONE_NEWUSER)
    now.close(pidfd)
    expectSaid(error, { error: 'setns ESRCH', cause: /^the process has ended$/, remedy: /minilab ps/ })
  })

  test('a uid_map that is written twice', async () => {
    const { pid } = await atGate(CLONE_NEWUSER)
    const map = `0 ${process.getuid?.()} 1`
    writeControl(`/proc/${pid()}/uid_map`, map)
    const error = thrown(() => writeControl(`/proc/${pid()}/uid_map`, map))
    expect(error.args).toBe(`"/proc/${pid()}/uid_map", "${map}"`)
    expectSaid(error, {
      error: 'write EPERM',
      cause: /a map can be written only once/,
      remedy: /in one write/,
    })
  })

  test('a uid_map that is none', async () => {
    const { pid } = await atGate(CLONE_NEWUSER)
    const error = thrown(() => writeControl(`/proc/${pid()}/uid_map`, '0 0 0'))
    expectSaid(error, {
      error: 'write EINVAL',
      cause: /"inside outside count"/,
      remedy: /correct the mapping/,
    })
  })
})

/** What code run by another process prints: a refusal as JSON. `wrapper` is put in front of node, such as unshare. */
async function elsewhere(code: string, wrapper: string[] = []): Promise<SyscallError> {
  const library = new URL('../../lib/', import.meta.url).href
  const script = `
    import * as c from '${library}kernel/syscalls/constants.ts'
    import { writeControl } from '${library}kernel/cgroup/control-file.ts'
    import { Gate } from '${library}kernel/tape/gate.ts'
    import { launch } from '${library}kernel/tape/launch.ts'
    import { now } from '${library}kernel/syscalls/now.ts'
    import { Tape } from '${library}kernel/tape/tape.ts'
    import { play } from '${library}kernel/tape/visit.ts'
    const tape = new Tape()
    try {
      ${code}
      console.log('{}')
    } catch (error) {
      if (!error.diagnosis) console.error(error)
      const { call, code, diagnosis } = error
      console.log(JSON.stringify({ call, code, diagnosis }))
    }`
  const [command = '', ...args] = [...wrapper, process.execPath, '--input-type=module', '-e', script]
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  return JSON.parse(await text(child.stdout)) as SyscallError
}

const ORDINARY = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
const [{ mount: cgroup, version } = { mount: '', version: 0 }] = hierarchies()
const noCgroup = cgroup ? '' : ' (no cgroups are mounted here)'
const inUserNamespace = (setup: string) => ['unshare', '-Urm', 'sh', '-ec', `${setup}; exec "$@"`, 'sh']

describe('a refusal of an ordinary user', () => {
  const refused: Record<string, Said & { code: string }> = {
    'namespaces without a user namespace': {
      code: 'await launch(tape, c.CLONE_NEWNS | c.CLONE_NEWUTS).replayed',
      error: 'clone3 EPERM',
      cause: /every namespace but user needs CAP_SYS_ADMIN/,
      remedy: /with sudo, or with --rootless/,
    },
    'a mount': {
      code: `tape.mount('none', '/mnt', 'tmpfs', 0, null); await play(tape)`,
      error: 'mount EPERM',
      cause: /mounting needs CAP_SYS_ADMIN/,
      remedy: /with sudo, or with --rootless/,
    },
    'a chroot': {
      code: `tape.chroot('/'); await play(tape)`,
      error: 'chroot EPERM',
      cause: /CAP_SYS_CHROOT/,
      remedy: /with sudo, or with --rootless/,
    },
    pivot_root: {
      code: `tape.pivot_root('/', '/'); await play(tape)`,
      error: 'pivot_root EPERM',
      cause: /CAP_SYS_ADMIN over the mount namespace/,
      remedy: /with sudo, or with --rootless/,
    },
    'a gid_map while setgroups is allowed': {
      code: `
        const gate = new Gate()
        gate.record(tape)
        const launched = launch(tape, c.CLONE_NEWUSER)
        await gate.reached()
        try {
          writeControl('/proc/' + launched.pid() + '/gid_map', '0 ' + process.getgid() + ' 1')
        } finally {
          gate.close()
        }`,
      error: 'write EPERM',
      cause: /gid_map only after "deny" is in setgroups/,
      remedy: /write setgroups "deny" first/,
    },
    "moving a process into a cgroup of root's": {
      code: `writeControl('${cgroup}/cgroup.procs', String(process.pid))`,
      error: 'open EACCES',
      cause: /write access to the cgroup it leaves, the one it joins/,
      remedy: /Delegate=yes .*, or sudo/,
    },
    "setting a cgroup of root's": {
      code: `writeControl('${cgroup}/${version === 2 ? 'cgroup.subtree_control' : 'notify_on_release'}', '0')`,
      error: 'open EACCES',
      cause: /not delegated to you/,
      remedy: /Delegate=yes .*, or sudo/,
    },
    'more processes than allowed': {
      code: `
        await play(tape) // the threads that we need are there
        now.prlimit64(0, c.RLIMIT_NPROC, { cur: 0, max: 0 }, null)
        await play(new Tape())`,
      error: 'clone3 EAGAIN',
      cause: /limit on processes/,
      remedy: /ulimit -u and pids\.max/,
    },
  }
  for (const [name, { code, ...said }] of Object.entries(refused)) {
    const lacking = name.includes('cgroup') ? noCgroup : ''
    test.skipIf(lacking)(name + lacking, async () => expectSaid(await elsewhere(code, ORDINARY), said))
  }
})

describe.skipIf(noCgroup || !isRoot)(
  `a refusal of root by a cgroup${noCgroup || (isRoot ? '' : ' (only as root)')}`,
  () => {
    test('of a process that is not there', () => {
      const beyond = 2 ** 22 + 1 // pid_max(5)
      expectSaid(
        thrown(() => writeControl(`${cgroup}/cgroup.procs`, `${beyond}`)),
        { error: 'write ESRCH', cause: /^the process has ended$/, remedy: /minilab ps/ },
      )
    })

    test('of a value that it does not understand', () => {
      expectSaid(
        thrown(() => writeControl(`${cgroup}/cgroup.procs`, 'x')),
        { error: 'write EINVAL', cause: /does not accept this value/, remedy: /cgroups\(7\)/ },
      )
    })

    const v2 = hierarchies().find(h => h.version === 2)?.mount
    test.skipIf(!v2)(`of a controller that it does not have${v2 ? '' : ' (no cgroup v2 here)'}`, () => {
      expectSaid(
        thrown(() => writeControl(`${v2}/cgroup.subtree_control`, '+minilab')),
        { error: 'write EINVAL', cause: /does not hand down this controller/, remedy: /cgroup.controllers/ },
      )
    })
  },
)

describe('a refusal inside a container', () => {
  test('of a /proc that the container covers in part', async () => {
    const error = await elsewhere(
      `
      tape.mount('proc', '/proc', 'proc', 0, null)
      await play(tape, c.CLONE_NEWUSER | c.CLONE_NEWNS | c.CLONE_NEWPID)`,
      inUserNamespace('mount -t tmpfs none /proc/fs'),
    )
    expectSaid(error, {
      error: 'mount EPERM',
      cause: /^parts of \/proc are covered by other mounts here/,
      remedy: /systempaths=unconfined/,
    })
  })

  test('of a remount that drops a flag of its mount', async () => {
    const root = folder()
    const error = await elsewhere(
      `
      tape.mount(null, '${root}', null, c.MS_BIND | c.MS_REMOUNT, null)
      await play(tape, c.CLONE_NEWUSER | c.CLONE_NEWNS)`,
      inUserNamespace(`mount -t tmpfs -o nosuid none '${root}'`),
    )
    expectSaid(error, {
      error: 'mount EPERM',
      cause: /may not drop flags \(nosuid/,
      remedy: /keep the flags that \/proc\/self\/mountinfo shows/,
    })
  })

  test('of one more user namespace than its limit', async () => {
    const error = await elsewhere(
      'await launch(tape, c.CLONE_NEWUSER).replayed',
      inUserNamespace('echo 0 >/proc/sys/user/max_user_namespaces'),
    )
    expectSaid(error, {
      error: 'clone3 ENOSPC',
      cause: /user\.max_user_namespaces = 0\)$/,
      remedy: /^sudo sysctl user\.max_user_namespaces=/,
    })
  })
})
