// Machines that lack something, or are arranged otherwise than most. Where a remedy is printed it is applied there, and helps.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Diagnosis } from '../../lib/guide/doctor/diagnose.ts'
import {
  identity,
  isRoot,
  ORDINARY,
  runMinilab,
  self,
  userData,
  userFolder,
  users,
} from '../support/minilab.ts'
import type { UserName } from '../support/minilab.ts'
import { noTmux, Terminal } from '../support/terminal.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const minilab = `${process.execPath} -- ${ENTRY}`

/** Runs a script in namespaces of the test's own. */
function elsewhere(script: string, env: NodeJS.ProcessEnv = {}, namespaces = '-m') {
  const { status, stdout, stderr } = spawnSync('unshare', [namespaces, 'bash', '-c', script], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  })
  return { status, stdout, stderr }
}

/** For a shell: what doctor proposes for a probe, in $fix. */
const fixOf = (doctor: string, id: string) => `fix=$(${doctor} | python3 -c 'import json,sys
print(next(p["fix"] for p in json.load(sys.stdin)["probes"] if p["id"] == sys.argv[1]))' ${id})`

/** A data folder on another disk, as mount(8) makes it with the options that follow. */
const DISK = 'mkdir $HOME/d; export MINILAB_DATA=$HOME/d; mount -t tmpfs'

/** What `doctor --json` says of one probe, before what it proposes is done, and after. */
function mended(change: string, id: string, env: NodeJS.ProcessEnv = {}, namespaces?: string) {
  const script = `
    ${change}
    ${minilab} doctor --json; echo
    ${fixOf(`${minilab} doctor --json`, id)}
    sudo() { "$@"; }
    folder=\${fix#*MINILAB_DATA=}
    case $fix in *MINILAB_DATA=*) eval "export MINILAB_DATA=\${folder%% ./minilab*}";; *) eval "$fix" >/dev/null;; esac
    ${minilab} doctor --json
    case $MINILAB_DATA in /dev/shm/tmp.*) rm -rf "$MINILAB_DATA";; esac`
  const { stdout, stderr } = elsewhere(script, { MINILAB_DATA: userData(), ...env }, namespaces)
  const found = stdout
    .split('\n')
    .filter(Boolean)
    .map(line => (JSON.parse(line) as Diagnosis).probes.find(probe => probe.id === id)!)
  return { before: found[0]!, after: found[1]!, stderr }
}

const ofRoot = isRoot ? describe : undefined
ofRoot?.('in a mount namespace', () => {
  test.each([
    ['an empty /sys/fs/cgroup', 'umount -R -l /sys/fs/cgroup; mount -t tmpfs none /sys/fs/cgroup', 'cgroups'],
    ['nothing on /sys/fs/cgroup', 'umount -R -l /sys/fs/cgroup', 'cgroups'],
    ['no /sys', 'umount -R -l /sys', 'root'],
    ['no /proc', 'umount -R -l /proc', 'proc'],
    ['a disk that is read-only', `${DISK} -o ro none $HOME/d`, 'disk'],
    ['a disk that is full', `${DISK} -o size=1m none $HOME/d`, 'disk'],
    ['a disk with little room', `${DISK} -o size=20m none $HOME/d`, 'disk'],
    ['no user namespaces', 'sysctl -qw user.max_user_namespaces=0', 'user-namespaces', '-mUr'],
    ['no network namespaces', 'sysctl -qw user.max_net_namespaces=0', 'namespaces', '-mUr'],
  ])('%s: what doctor proposes helps', (_, change, id, namespaces = '-m') => {
    const { before, after, stderr } = mended(change, id, { HOME: userFolder() }, namespaces)
    expect(before.ok).not.toBe('ok')
    expect({ ok: after.ok, stderr }).toEqual({ ok: 'ok', stderr: '' })
  })

  test('processes that /proc hides from an ordinary user: what doctor proposes helps', () => {
    const doctor = `setpriv --reuid ${ORDINARY.uid} --regid ${ORDINARY.gid} --clear-groups ${minilab} doctor --json`
    const script = `
      mount -t proc -o hidepid=2 proc /proc; ${doctor}; sudo() { "$@"; }
      ${fixOf(doctor, 'hidepid')}; eval "$fix"; ${doctor}`
    const { stdout } = elsewhere(script, { MINILAB_DATA: userData('ordinary') })
    const [before, after] = stdout.split(/^(?=\{)/m).map(text => (JSON.parse(text) as Diagnosis).probes)
    expect(before!.find(({ id }) => id === 'hidepid')?.ok).toBe('blocked')
    expect(after!.find(({ id }) => id === 'hidepid')?.ok).toBe('ok')
  })

  test('a data folder that others may write to: what is proposed helps', () => {
    const script = `
      chmod 777 $MINILAB_DATA; ${minilab} ps --json
      remedy=$(${minilab} ps --json 2>&1 | sed 's/.*trusted: //'); eval "$remedy" && ${minilab} ps --json`
    const { stdout, stderr } = elsewhere(script, { MINILAB_DATA: userFolder() })
    expect(stderr).toMatch(/^minilab: the data folder \S+ is writable by others, [^\n]+: chmod go-w \S+\n$/)
    expect(stdout).toBe('[]\n')
  })

  const OVERLAY =
    'd=$(mktemp -d -p $HOME); mkdir $d/{l,u,w,m}; mount -t overlay o -o lowerdir=$d/l,upperdir=$d/u,workdir=$d/w $d/m; ' +
    'export MINILAB_DATA=$d/m/data; '

  test('a data folder on an overlay: doctor, run and step 7 say so, and what they propose helps', () => {
    const env = { HOME: userFolder() }
    const { before, after } = mended(OVERLAY, 'overlay', env)
    expect(before.found).toMatch(/^\S+ is itself on an overlay/)
    expect(after.ok).toBe('ok')
    const ran = elsewhere(`${OVERLAY} ${minilab} run --network none default true`, env)
    expect(ran.stderr).toMatch(/^minilab: \S+ is itself on an overlay [^\n]+ MINILAB_DATA=\S+[^\n]*\n$/)
    const step = elsewhere(`${OVERLAY} ${minilab} step 7 --yes --plain`, env)
    expect(step.status).toBe(3)
    expect(step.stderr).toMatch(/^minilab: \S+ is itself on an overlay [^\n]+\n$/)
  })

  const NOEXEC =
    'mount -t tmpfs -o noexec,nosuid,nodev,size=64m none /dev/shm; export MINILAB_DATA=/dev/shm/minilab; '

  test('a data folder that is mounted noexec: that is the cause, and /dev/shm is not proposed', () => {
    const { stdout } = elsewhere(`${NOEXEC} ${minilab} doctor --json`)
    const probe = (JSON.parse(stdout) as Diagnosis).probes.find(({ id }) => id === 'image-root')
    expect(probe).toMatchObject({ ok: 'blocked', fix: 'MINILAB_DATA=/a/folder/there ./minilab …' })
    const { status, stderr } = elsewhere(`${NOEXEC} ${minilab} step 3 --yes --plain`)
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: expect.stringMatching(/^minilab: \/dev\/shm is mounted noexec: [^\n]+\n$/) as string,
    })
    expect(stderr).not.toContain('mktemp')
  })

  test('read-only cgroups are those of a container', () => {
    const { stderr } = elsewhere(
      `for m in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,bind,ro $m 2>/dev/null; done; ${minilab} run -m 64m --network none default true`,
      { MINILAB_DATA: userData() },
    )
    expect(stderr).toMatch(/is read-only here \(cgroup v\d\): we seem to be in a container/)
  })
})

describe.each(users)('as %s', user => {
  const as = identity(user)

  test("Node's own words on stderr are no part of what step 7 reads", async () => {
    const { status } = await runMinilab(['step', '7', '--yes', '--plain'], {
      user,
      env: { NODE_DEBUG: 'module' },
    })
    expect(status).toBe(0)
  })

  test.each([
    ['unset', ['-u', 'HOME']],
    ['empty', ['HOME=']],
  ])('HOME is %s: nothing is made in the current folder', (_, words) => {
    const cwd = userFolder(user)
    const args = ['-u', 'MINILAB_DATA', ...words, process.execPath, '--', ENTRY, 'ps', '--json']
    const { status, stderr } = spawnSync('env', args, { encoding: 'utf8', cwd, ...as })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(readdirSync(cwd)).toEqual([])
  })
})

describe('commands are printed as they can be typed', () => {
  const checkout = join(import.meta.dirname, '../..')
  const said = (command: string, env: NodeJS.ProcessEnv = {}, user: UserName = self) => {
    const { stderr } = spawnSync('sh', ['-c', command], {
      encoding: 'utf8',
      cwd: checkout,
      env: { ...process.env, MINILAB_DATA: userFolder(user), ...env },
      ...identity(user),
    })
    return stderr
  }
  const onPath = (user: UserName = self) => {
    const folder = userFolder(user)
    symlinkSync(join(checkout, 'minilab'), join(folder, 'minilab'))
    return { PATH: `${folder}:${process.env.PATH}` }
  }

  test.each([
    ['./minilab', {}],
    [`${checkout}/minilab`, {}],
    ['minilab', onPath],
  ] as const)('%s', (name, env) => {
    const line = `minilab: there is no container "nix": ${name} ps -a lists them all\n`
    expect(said(`${name} exec nix true`, typeof env === 'function' ? env() : env)).toBe(line)
  })

  const noSudo = existsSync('/usr/bin/sudo') ? '' : ' (no sudo)'
  /** What a text that has `sudo minilab` in it comes to for an ordinary user, and for root. */
  const HELPS = [
    ['./minilab', './minilab', './minilab'],
    [`${checkout}/minilab`, `${checkout}/minilab`, `${checkout}/minilab`],
    ['minilab', 'minilab', 'env "PATH=$PATH" minilab'], // in a folder where sudo does not look
  ] as const

  const asRoot = isRoot ? test : undefined
  asRoot?.each(HELPS)('root needs no sudo: %s', (command, name) => {
    expect(said(`${command} --help >&2`, onPath())).toContain(`Begin with:  ${name} step 1\n`)
  })

  test.skipIf(noSudo)(`others do${noSudo}`, () => {
    for (const [command, , behindSudo] of HELPS)
      expect(said(`${command} --help >&2`, onPath('ordinary'), 'ordinary')).toContain(
        `Begin with:  sudo ${behindSudo} step 1 `,
      )
  })

  asRoot?.skipIf(noSudo)(`and sudo finds the command that is printed${noSudo}`, () => {
    const env = onPath('ordinary')
    const [, command] = /(sudo .*) step 1 /.exec(said('minilab --help >&2', env, 'ordinary'))!
    expect(said(`${command} exec nix true`, env)).toContain('there is no container "nix"')
  })
})

const ofOrdinary = users.includes('ordinary') ? test : undefined
ofOrdinary?.('who may not write to cgroups is told so, and not of a container', async () => {
  const user = 'ordinary'
  const { status, stderr } = await runMinilab(['run', '-m', '32m', '--network', 'none', 'default', 'true'], {
    user,
  })
  expect(status).toBe(125)
  expect(stderr).toMatch(/^minilab: [^\n]*(is not delegated to you|does not delegate)[^\n]*\n$/)
})

ofRoot?.('a uid without an account', () => {
  test('HOME is not set: one line', () => {
    const words = ['--reuid', '4242', '--clear-groups', 'env', '-u', 'HOME', '-u', 'MINILAB_DATA']
    const { status, stderr } = spawnSync('setpriv', [...words, process.execPath, '--', ENTRY, 'ps'], {
      encoding: 'utf8',
      cwd: '/',
    })
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr:
        'minilab: HOME is not set, and uid 4242 has no account: set MINILAB_DATA to a folder that belongs to you\n',
    })
  })
})

test.skipIf(noTmux)(`Ctrl-D at a question is like Ctrl-C: no more than that${noTmux}`, async () => {
  const terminal = new Terminal({ MINILAB_DATA: userData() })
  terminal.type(`${minilab} step 3; echo "status $?"`)
  await terminal.shows('navigate')
  terminal.key('C-d')
  await terminal.shows('status 130')
  expect(terminal.screen()).not.toMatch(/Warning|await/)
})
