import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LARGEST_FILE } from '../../lib/sandbox/start.ts'
import { BOUNDS } from '../../lib/sandbox/cgroup.ts'
import { Cgroup } from '../../lib/kernel/cgroup/cgroup.ts'
import { hierarchies } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { planCgroup } from '../../lib/kernel/cgroup/make-cgroup.ts'
import { children, ifReadable, namespaceInode, pids, status } from '../../lib/kernel/process/procfs.ts'
import { identity, isRoot, runMinilab, type UserName, users, userData } from '../support/minilab.ts'

const url = (path: string) => JSON.stringify(new URL(`../../lib/${path}`, import.meta.url).href)

/** A minilab that runs a shell script in a sandbox with a copy of its data folder, and that folder of its own. */
function inSandbox(user: UserName, script: string, args: string[] = [], afterwards = '') {
  const data = userData(user)
  const program = `
    import { runInSandbox } from ${url('sandbox/start.ts')}
    import { makeDataCopy } from ${url('guide/data-copy.ts')}
    await using data = await makeDataCopy('below an overlay')
    const sandbox = { kind: 'protected', root: process.getuid() === 0, files: data.files, cgroup: data.cgroup }
    await runInSandbox(sandbox, { args: ['/bin/sh', ...process.argv.slice(1)], env: process.env })
    ${afterwards}`
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', program, '--', '-c', script, 'sh', ...args],
    {
      cwd: '/',
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, HOME: data, MINILAB_DATA: data },
      ...identity(user),
    },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, data, said: () => text(child.stdout), errors: () => text(child.stderr) }
}

/** The first lines that it says, while it goes on. */
async function firstLines(child: ReturnType<typeof inSandbox>['child'], count: number): Promise<string[]> {
  let said = ''
  child.stdout.setEncoding('utf8')
  while (said.split('\n').length <= count) said += String((await once(child.stdout, 'data'))[0])
  return said.split('\n').slice(0, count)
}

/** The directories of the cgroup that the sandbox's first process is in, found from outside. */
const cgroupsOf = (pid: number) =>
  hierarchies(pid)
    .map(({ own }) => own)
    .filter(own => own.includes('/minilab/sandbox-'))

/** The first process of the sandbox that a process of ours has started: 1 in a pid namespace of its own. */
const firstOf = (pid: number) => children(pid).find(other => /\s1$/.test(status(other).NSpid ?? '')) ?? 0

/** All processes in a pid namespace, found from outside. */
function processesIn(namespace: number): number[] {
  return pids().filter(pid => ifReadable(() => namespaceInode(pid, 'pid')) === namespace)
}

describe.each(users)('as %s', user => {
  // that an ordinary user may have cgroups is told to them when they are one themselves
  const cgroups = (user === 'root' || !isRoot) && planCgroup('x', ['memory', 'cpu', 'pids']) instanceof Cgroup
  const lacking = cgroups ? '' : ' (no cgroup can be had here)'

  test('no file of a sandbox that has ended is still open: watch has one after the other', async () => {
    const { child, said, errors } = inSandbox(
      user,
      'true',
      [],
      `
    const { readlinkSync, readdirSync } = await import('node:fs')
    const links = readdirSync('/proc/self/fd').flatMap(fd => {
      try { return readlinkSync('/proc/self/fd/' + fd) } catch { return [] }
    })
    console.log(links.filter(link => /^[/](proc|sys)[/]/.test(link)).join())`,
    )
    child.stdin.end()
    expect({ said: await said(), errors: await errors() }).toEqual({
      said: expect.stringMatching(/^([/]proc[/]\d+[/]fd)?\n$/) as string, // readdir's own
      errors: '',
    })
  })

  test('it has processes of its own: those of the machine can neither be seen nor signalled', async () => {
    const canary = spawn('sleep', ['1000'], { stdio: 'ignore', ...identity(user) })
    onTestFinished(() => void canary.kill('SIGKILL'))
    await once(canary, 'spawn')
    const pid = String(canary.pid)
    const { child, said } = inSandbox(
      user,
      'ls -d /proc/[0-9]*; kill -KILL "$1" || echo refused; grep NSpid /proc/self/status',
      [pid],
    )
    child.stderr.resume()
    const lines = (await said()).trimEnd().split('\n')
    expect(lines.at(-2)).toBe('refused')
    expect(lines).not.toContain(`/proc/${pid}`)
    expect(lines[0]).toBe('/proc/1')
    expect(lines.length).toBeLessThan(8)
    expect(lines.at(-1)).toMatch(/^NSpid:\t\d$/) // as its own /proc knows it: one number, and a small one
    expect(status(canary.pid!).State).toMatch(/^S/)
  })

  test('it has no disk, and can make none', async () => {
    const { said, child } = inSandbox(
      user,
      'find /dev -type b; mknod "$MINILAB_DATA/disk" b 8 0 2>&1; ls /dev',
    )
    child.stderr.resume()
    const [refused, ...names] = (await said()).trimEnd().split('\n')
    expect(refused).toContain('Operation not permitted')
    expect(names).toEqual(
      ['fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout'].concat([
        'tty',
        'urandom',
        'zero',
      ]),
    )
  })

  test("what protects the machine's files cannot be undone there", async () => {
    const script = `
      mount -o remount,bind,rw / 2>&1; mount -o remount,bind,rw "$1" 2>&1; umount /dev 2>&1; umount -l /dev 2>&1
      touch /dev/here && ls -d /dev/here`
    const { said, errors } = inSandbox(user, script, [hierarchies()[0]?.mount ?? '/'])
    const all = errors()
    const lines = (await said()).split('\n')
    expect(lines.filter(line => /permission denied|not mounted|must be superuser/.test(line))).toHaveLength(4)
    expect(lines).toContain('/dev/here') // its own
    expect(existsSync('/dev/here')).toBe(false)
    expect(await all).toBe('')
  })

  test('nothing of it can be written to but its own data folder, and no cgroup but its own', async () => {
    const folders = ['/', '/dev/shm', '/tmp', '/etc', ...hierarchies().map(({ mount }) => mount)]
    const { said, child, data } = inSandbox(
      user,
      'for folder; do [ -w "$folder" ] && echo "$folder"; done; touch "$MINILAB_DATA/here" && echo ok',
      folders,
    )
    child.stderr.resume()
    expect(await said()).toBe('ok\n')
    expect(existsSync(join(data, 'here'))).toBe(false)
  })

  const lifted = user === 'root' || !isRoot ? test.skipIf(!cgroups) : () => {}
  lifted(`it cannot lift its limits${lacking}`, async () => {
    const script = `
      for inside in $(find /sys/fs/cgroup -type d -name inside -path '*/minilab/sandbox-*'); do
        [ -w "$inside/cgroup.procs" ] || continue
        mkdir "$inside/more" && rmdir "$inside/more" || echo no cgroup
        for file in pids.max memory.max memory.limit_in_bytes; do
          [ -e "$inside/../$file" ] && (echo max >"$inside/../$file") 2>&1
        done
      done`
    const { said, child } = inSandbox(user, script)
    child.stderr.resume()
    const lines = (await said()).trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(1)
    for (const line of lines) expect(line).toMatch(/Read-only file system/)
  })

  test('a file larger than the limit is refused', async () => {
    const script = `
      const { openSync, writeSync } = require('node:fs')
      const file = openSync(process.env.MINILAB_DATA + '/large', 'w')
      for (const at of [${LARGEST_FILE - 1}, ${LARGEST_FILE}])
        try { console.log(writeSync(file, 'x', at)) } catch ({ code }) { console.log(code) }`
    const { said, child } = inSandbox(user, 'exec "$1" -e "$2"', [process.execPath, script])
    child.stderr.resume()
    expect(await said()).toBe('1\nEFBIG\n')
  })

  // where root runs the tests, an ordinary user has had no cgroup delegated: there is no bound then, and nothing to test
  const bounded = user === 'root' || !isRoot ? test.skipIf(!cgroups) : () => {}
  bounded(`more processes than it may have are refused${lacking}`, async () => {
    const script = `
      (i=0; while [ $i -le ${BOUNDS.pids} ]; do sleep 1000 & i=$((i + 1)); done)
      echo $?; exec cat`
    const { child, errors } = inSandbox(user, script)
    const refused = errors()
    const [ended] = await firstLines(child, 1)
    expect(ended).not.toBe('0')
    const first = firstOf(child.pid!)
    const [around = ''] = cgroupsOf(first)
      .map(own => dirname(dirname(own)))
      .filter(folder => existsSync(join(folder, 'pids.max')))
    expect(readFileSync(join(around, 'pids.max'), 'utf8')).toBe(`${BOUNDS.pids}\n`)
    // the loop itself has ended; and what had ended a moment before the refusal may have counted still: pids_release()
    const current = Number(readFileSync(join(around, 'pids.current'), 'utf8'))
    expect(current).toBeLessThan(BOUNDS.pids)
    expect(current).toBeGreaterThan(BOUNDS.pids - 10)
    child.stdin.end()
    await once(child, 'exit')
    expect(await refused).toMatch(/fork/i)
    expect(existsSync(around)).toBe(false)
  })

  test('killed, it leaves nothing after the next command: no process, no cgroup, no folder', async () => {
    // a process that has left its session, and a cgroup that it made itself where it can
    const script = `
      for leaf in $(sed -n 's|^[0-9]*:[^:]*:\\(/minilab/sandbox.*\\)/minilab-sandbox|\\1|p' /proc/self/cgroup); do
        find /sys/fs/cgroup -path "*$leaf" -exec mkdir {}/more \\;
      done
      setsid sleep 1000 & echo ready; exec cat`
    const { child, data } = inSandbox(user, script)
    child.stderr.resume()
    expect(await firstLines(child, 1)).toEqual(['ready'])
    const first = firstOf(child.pid!)
    const namespace = namespaceInode(first, 'pid')!
    expect(processesIn(namespace).length).toBe(3)
    const folders = cgroupsOf(first).map(dirname)
    expect(folders.length > 0).toBe(cgroups)
    for (const folder of folders) expect(readdirSync(folder)).toContain('more')
    child.kill('SIGKILL')
    await once(child, 'exit')
    await expect.poll(() => processesIn(namespace), { timeout: 60_000 }).toEqual([])
    expect(readdirSync(join(data, 'containers'))).not.toEqual([])
    expect(await runMinilab(['step', '1', '--yes', '--json'], { user, data })).toMatchObject({ status: 0 })
    expect(readdirSync(join(data, 'containers'))).toEqual([])
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
    expect(folders.filter(existsSync)).toEqual([])
  })
})
