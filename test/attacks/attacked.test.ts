// What an attack on `run` and `exec` has found, kind by kind. The kernel, or a program of the host, is the judge.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { cgroupOf } from '../../lib/kernel/cgroup/cgroup.ts'
import { isStopped } from '../../lib/kernel/process/procfs.ts'
import { ORDINARY, isRoot, runMinilab, self, sharedData, userData, userFolder } from '../support/minilab.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const shared = sharedData()[self]
const minilab = `${process.execPath} -- ${ENTRY}`
/** However busy the machine is. */
const SOON = { timeout: 30_000 }
const ALONE = 'run --rm --network none'

/** Runs a script of the host's, which starts minilab. */
function script(text: string, { data = shared, input = '', env = {} } = {}) {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', text], {
    encoding: 'utf8',
    input,
    env: { ...process.env, MINILAB_DATA: data, ...env },
  })
  return { status, stdout, stderr }
}

interface Listed {
  id: string
  name: string
  pid: number
  status: string
}
const listed = async (data: string) =>
  JSON.parse((await runMinilab(['ps', '-a', '--json'], { data })).stdout) as Listed[]

/** A container in the background, gone after the test. */
async function background(name: string, words: string[], { data = shared, flags = [] as string[] } = {}) {
  onTestFinished(async () => void (await runMinilab(['rm', '-f', name], { data })))
  const ran = await runMinilab(
    ['run', '-d', '--name', name, '--network', 'none', ...flags, 'default', ...words],
    { data },
  )
  expect(ran).toMatchObject({ status: 0, stderr: '' })
  return (await listed(data)).find(state => state.name === name)!
}

describe("the caller's pipes", () => {
  test('stdin cannot be written to: the shell that reads on would run it', () => {
    const trace = join(userFolder(), 'trace')
    // it reads first: a program that ends at once may end before we have read anything for it
    const inside = `read line; echo "touch ${trace}" >/proc/self/fd/0`
    const { stdout } = script('bash', {
      input: `${minilab} ${ALONE} -i default sh -c '${inside}'\necho done\n`,
    })
    expect(existsSync(trace)).toBe(false)
    // it is read whole, as docker run -i does: nothing is left for the shell
    expect(stdout).toBe('')
  })

  test.each(['run', 'exec'])("%s: no descriptor is the caller's own", async how => {
    if (how === 'exec') await background('pipes', ['sleep', '1000'])
    const words = how === 'exec' ? 'exec -i pipes' : `${ALONE} -i default`
    const look = 'for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done'
    const { stdout } = script(
      `printf x | { ${look.replaceAll('$$', '$BASHPID')}; ${minilab} ${words} sh -c '${look}'; } | cat`,
    )
    const pipes = stdout.trim().split('\n')
    expect(pipes).toHaveLength(6)
    expect(new Set(pipes).size).toBe(6)
  })
})

describe('what reads or writes on', () => {
  test('exec ends with its program, also where another that it has started writes for ever', async () => {
    await background('writing', ['sleep', '1000'])
    const { stdout } = script(
      `timeout 60 ${minilab} exec writing sh -c 'yes & sleep 1; exit 3' >/dev/null; echo $?`,
    )
    expect(stdout).toBe('3\n')
  })

  test('exec -t ends with its program, with all that it wrote, also where another keeps the terminal', async () => {
    await background('holding', ['sleep', '1000'])
    const inside = `trap "" HUP; sleep 1000 & seq 1 20000; exit 3`
    const { stdout } = script(
      `timeout 60 script -qec "${minilab} exec -t holding sh -c '${inside.replaceAll('"', '\\"')}'" /dev/null; echo $?`,
    )
    const written = Array.from({ length: 20_000 }, (_, i) => String(i + 1))
    expect(stdout.replaceAll('\r', '').split('\n')).toEqual([...written, '3', ''])
  })

  test('runs that share a stdin end with their programs, whichever of them got a byte', async () => {
    const fifo = join(userFolder(), 'fifo')
    execFileSync('mkfifo', [fifo])
    const fd = openSync(fifo, constants.O_RDWR)
    onTestFinished(() => closeSync(fd))
    const children = [1, 2, 3].map(() =>
      spawn(
        process.execPath,
        ['--', ENTRY, ...ALONE.split(' '), '-i', 'default', 'sh', '-c', 'echo here; sleep 3; exit 4'],
        {
          env: { ...process.env, MINILAB_DATA: shared },
          stdio: [fd, 'pipe', 'inherit'],
        },
      ),
    )
    const ended = children.map(child => once(child, 'exit'))
    await Promise.all(children.map(({ stdout }) => once(stdout!, 'data')))
    writeSync(fd, 'x') // all are woken, and one reads it
    expect(await Promise.all(ended)).toEqual(children.map(() => [4, null]))
  })
})

// an ordinary user would have to be root in a user namespace for these
const ofRoot = isRoot ? test : undefined
ofRoot?.('a command in another pid or time namespace leaves running containers alone', async () => {
  const { pid } = await background('elsewhere', ['sleep', '1000'])
  for (const wrapper of [
    ['unshare', '-pf', '--mount-proc'],
    ['unshare', '-T', '--boottime', '100000'],
  ]) {
    const args = ['run', '--rm', '--network', 'none', 'default', 'true']
    expect(await runMinilab(args, { data: shared, wrapper })).toMatchObject({ status: 0, stderr: '' })
    expect(await runMinilab(args, { data: shared })).toMatchObject({ status: 0, stderr: '' })
    expect((await listed(shared)).find(({ name }) => name === 'elsewhere')).toMatchObject({
      pid,
      status: 'running',
    })
  }
  const removed = await runMinilab(['rm', 'elsewhere'], {
    data: shared,
    wrapper: ['unshare', '-pf', '--mount-proc'],
  })
  expect(removed.stderr).toMatch(/^minilab: elsewhere runs in a different pid namespace: .+\n$/)
})

ofRoot?.("exec where the container's cgroup cannot be seen: refused, as no limit would hold", async () => {
  await background('limited', ['sleep', '1000'])
  const { status, stderr } = script(
    `unshare -m sh -c "umount -R /sys/fs/cgroup; ${minilab} exec limited true"`,
  )
  expect(status).toBe(125)
  expect(stderr).toMatch(/^minilab: the cgroup of limited is not visible here, so [^\n]+: [^\n]+\n$/)
  expect(script(`${minilab} exec limited true`)).toEqual({ status: 0, stdout: '', stderr: '' })
})

ofRoot?.(
  "an image with more groups than setgroups(2) takes does not leave a program the caller's groups",
  () => {
    const root = userFolder()
    execFileSync('sh', ['-c', 'mkdir -p $0/etc $0/bin; cp "$(command -v busybox)" $0/bin/busybox', root])
    writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\nu:x:1000:1000::/:/bin/sh\n')
    const ids = (count: number) => Array.from({ length: count }, (_, i) => `g:x:${i + 2000}:u\n`).join('')
    const run = `setpriv --groups 4,27,42 ${minilab} ${ALONE} -u u ${root} busybox id -G`
    writeFileSync(join(root, 'etc/group'), ids(2))
    expect(script(run)).toEqual({ status: 0, stdout: '1000 2000 2001\n', stderr: '' })
    writeFileSync(join(root, 'etc/group'), ids(65537)) // NGROUPS_MAX is 65536: include/uapi/linux/limits.h
    const { status, stdout, stderr } = script(run)
    expect([status, stdout]).toEqual([125, ''])
    expect(stderr).toMatch(/^minilab: .*setgroups.*EINVAL[^\n]*\n$/)
  },
)

ofRoot?.('a device file on a file system that is mounted below a root directory opens nothing', () => {
  const root = userFolder()
  const { stdout, stderr } = script(
    `mkdir -p ${root}/{bin,proc,sys,dev,sub} && cp $(command -v busybox) ${root}/bin/ && ln -s busybox ${root}/bin/sh
     unshare -m sh -c "mount -t tmpfs none ${root}/sub && mknod ${root}/sub/loop0 b 7 0 &&
       ${minilab} ${ALONE} --read-only ${root} sh -c '(: </sub/loop0); (: >/sub/x)'"`,
  )
  expect(stdout + stderr).toMatch(/sub\/loop0: Permission denied\n.*sub\/x: Read-only file system\n/)
})

ofRoot?.('a full disk is told also of a container in the background', () => {
  const folder = userFolder()
  const { status, stderr } = script(
    `exec unshare -m sh -c 'mount -t tmpfs -o size=12m none ${folder} && cp -a ${shared}/. ${folder} &&
       { cat /dev/zero >${folder}/filler; } 2>/dev/null; MINILAB_DATA=${folder} ${minilab} run -d --network none default true'`,
  )
  expect(status).toBe(125)
  expect(stderr).toMatch(/^minilab: .*ENOSPC.*: .+\n$/)
})

ofRoot?.('a container that is frozen: exec is refused, kill ends it', async () => {
  const { pid } = await background('frozen', ['sleep', '1000'])
  await cgroupOf(pid).freeze(true)
  const refused = await runMinilab(['exec', 'frozen', 'true'], { data: shared })
  expect(refused).toMatchObject({
    status: 125,
    stderr: expect.stringMatching(/^minilab: frozen is paused .+\n$/) as string,
  })
  await runMinilab(['kill', 'frozen'], { data: shared })
  await expect
    .poll(async () => (await listed(shared)).find(({ name }) => name === 'frozen')?.status, SOON)
    .toBe('exited (137)')
})

describe('in the background', () => {
  test("its keeper has nothing of the caller's: a lock is free again", () => {
    const lock = join(userFolder(), 'lock')
    onTestFinished(() => void script(`${minilab} rm -f locked`))
    const run = `${minilab} run -d --name locked --network none default sleep 1000`
    const { stdout } = script(
      `( exec 200>${lock}; flock 200; ${run} >/dev/null ); flock -n ${lock} echo free`,
    )
    expect(stdout).toBe('free\n')
  })

  test('with --rm its log goes, too; with -i its stdin stays open', async () => {
    const data = userData()
    const { stdout } = await runMinilab(
      ['run', '-d', '--rm', '--network', 'none', 'default', 'echo', 'secret'],
      { data },
    )
    expect(stdout).toMatch(/^[0-9a-f]{12}\n$/)
    await expect.poll(() => readdirSync(join(data, 'logs')), SOON).toEqual([])

    const { pid } = await background('open', ['cat'], { data, flags: ['-i'] })
    // it waits in read(0, …)
    await expect.poll(() => readFileSync(`/proc/${pid}/syscall`, 'utf8'), SOON).toMatch(/^\d+ 0x0 /)
  })

  test('with --rm its log goes also after its keeper was killed', async () => {
    const data = userData()
    const { id } = await background('orphan', ['sleep', '1000'], { data, flags: ['--rm'] })
    const state = readFileSync(join(data, 'containers', id, 'state.json'), 'utf8')
    const { keeper } = JSON.parse(state) as { keeper: { pid: number } }
    expect(readdirSync(join(data, 'logs'))).toHaveLength(1)
    process.kill(keeper.pid, 'SIGKILL')
    await runMinilab(['run', '--rm', '--network', 'none', 'default', 'true'], { data })
    expect(readdirSync(join(data, 'logs'))).toEqual([])
    expect(readdirSync(join(data, 'containers'))).toEqual([])
  })
})

describe('whatever the caller has set', () => {
  test('umask 077: who is in the container can read its /etc/hosts', () => {
    const { stdout } = script(
      `umask 077; ${minilab} ${ALONE} default stat -c %a /etc/hosts /etc/hostname /etc/resolv.conf`,
    )
    expect(stdout).toBe('644\n644\n644\n')
  })

  test('umask 0777: what we write can be read by us', () => {
    const data = userData()
    const { status, stderr } = script(
      `umask 0777; ${minilab} run --name masked --network none default sh -c 'exit 7'; echo $? >&2; ${minilab} rm masked`,
      { data },
    )
    expect({ status, stderr }).toEqual({ status: 0, stderr: '7\n' })
  })

  test("one worker of libuv's is not enough, so it is not taken", () => {
    const { stdout } = script(`timeout 60 ${minilab} ${ALONE} default echo ok`, {
      env: { UV_THREADPOOL_SIZE: '1' },
    })
    expect(stdout).toBe('ok\n')
  })

  test('no HOME: nothing is made in the working directory', () => {
    const folder = userFolder('ordinary')
    spawnSync(process.execPath, ['--', ENTRY, 'ps'], {
      cwd: folder,
      env: { PATH: process.env.PATH, MINILAB_DATA: folder },
      ...(isRoot && ORDINARY),
    })
    expect(readdirSync(folder)).toEqual([])
  })

  test('SIGUSR1 is passed on, like any other signal', async () => {
    const trap = 'trap "echo heard; exit 9" USR1; echo ready; while :; do sleep 0.1; done'
    const child = spawn(process.execPath, ['--', ENTRY, ...ALONE.split(' '), 'default', 'sh', '-c', trap], {
      env: { ...process.env, MINILAB_DATA: shared },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    child.kill('SIGUSR1')
    expect(await once(child, 'exit')).toEqual([9, null])
  })

  test('a signal that ends us comes alone; only who is stopped goes on by it', async () => {
    const trap = 'trap "echo went on" CONT; trap "echo heard" INT; trap "echo last; exit 9" TERM'
    const run = ['run', '--rm', '--name', 'hearing', '--network', 'none', 'default']
    const words = [...run, 'sh', '-c', `${trap}; echo ready; while :; do sleep 0.1; done`]
    const child = spawn(process.execPath, ['--', ENTRY, ...words], {
      env: { ...process.env, MINILAB_DATA: shared },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const next = async () => (await lines.next()).value as string
    expect(await next()).toBe('ready')
    for (const _ of [1, 2]) {
      child.kill('SIGINT')
      expect(await next()).toBe('heard')
    }
    const { pid } = (await listed(shared)).find(({ name }) => name === 'hearing')!
    process.kill(pid, 'SIGSTOP')
    while (!isStopped(pid)) await setTimeout(10)
    child.kill('SIGTERM')
    expect(await ended).toEqual([9, null])
    expect(await next()).toBe('last')
  })

  test.skipIf(!isRoot)('/proc of another pid namespace: nothing is done', () => {
    const { status, stderr } = script(`unshare -pf ${minilab} ${ALONE} default true`)
    expect(stderr).toMatch(
      /^minilab: \/proc belongs to a different pid namespace[^\n]* unshare --mount-proc[^\n]*\n$/,
    )
    expect(status).toBe(125)
    expect(script(`unshare -pf ${minilab} kill nobody`)).toMatchObject({ status: 3, stdout: '' })
  })

  test('SIGUSR1 opens no debugger', async () => {
    await background('followed', ['sh', '-c', 'echo here; exec sleep 1000'])
    const child = spawn(process.execPath, ['--', ENTRY, 'logs', '-f', 'followed'], {
      env: { ...process.env, MINILAB_DATA: shared },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()))
    await once(child.stdout, 'data')
    child.kill('SIGUSR1')
    expect(await once(child, 'exit')).toEqual([null, 'SIGUSR1'])
    expect(said).toBe('')
  })
})

test.each<[words: string[], status: number, says: RegExp]>([
  [['-e', 'PATH=/etc/passwd:/bin', 'default', 'nosuch'], 127, /there is no nosuch in the container/],
  [['default', 'x'.repeat(300)], 127, /there is no x+/],
  [['-v', '/etc/passwd:/tmp', 'default', 'true'], 125, /nothing can be mounted on "\/tmp"/],
  [['-v', '/tmp:/sys/new', 'default', 'true'], 125, /nothing can be mounted on "\/sys\/new" .*EROFS/],
  [['/', 'true'], 125, /this machine's own root cannot be a container's root/],
])('run %j: %i, and one line', async (words, status, says) => {
  const ran = await runMinilab(['run', '--rm', '--network', 'none', ...words], { data: shared })
  expect(ran).toMatchObject({ status, stdout: '' })
  expect(ran.stderr).toMatch(/^minilab: [^\n]+\n$/)
  expect(ran.stderr).toMatch(says)
})
