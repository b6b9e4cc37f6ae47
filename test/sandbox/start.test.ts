import { readFileSync } from 'node:fs'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { identity, isRoot, ORDINARY, userFolder, type UserName, users } from '../support/minilab.ts'
import { processExists } from '../../lib/kernel/process/procfs.ts'
import { lacking } from '../kernel/network.ts'

const library = JSON.stringify(new URL('../../lib/sandbox/start.ts', import.meta.url).href)

/** A minilab that runs a program in the sandbox and says how that ended. */
function inSandbox(user: UserName, ...program: string[]) {
  const script = `
    import { runInSandbox } from ${library}
    const say = value => console.log(JSON.stringify(value))
    const program = { args: process.argv.slice(1), env: process.env }
    await runInSandbox({ kind: 'network' }, program).then(say, ({ name, code }) => say({ name, code }))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, ...program], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit'],
    ...identity(user),
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  child.stdout.setEncoding('utf8')
  const lines = child.stdout.iterator({ destroyOnReturn: false }) as AsyncIterator<string>
  return { child, line: async () => String((await lines.next()).value).trim() }
}

describe.skipIf(lacking).each(users)(`as %s${lacking}`, user => {
  test("its only user is root there, and it has a loopback that is up, no other link and no firewall lock of the host's", async () => {
    const look = 'id -u; cat /proc/self/uid_map; ip -br link; echo $MINILAB_SANDBOX $XTABLES_LOCKFILE'
    const { child } = inSandbox(user, '/bin/sh', '-c', look)
    const { uid } = isRoot && user === 'ordinary' ? ORDINARY : { uid: process.getuid!() }
    let said = ''
    for await (const text of child.stdout) said += String(text)
    const [id, map, links, env] = said.split('\n').map(line => line.trim().split(/\s+/))
    expect(id).toEqual(['0'])
    expect(map).toEqual(['0', String(uid), '1'])
    expect(links?.slice(0, 2)).toEqual(['lo', 'UNKNOWN']) // what a loopback says that is up
    expect(env).toEqual(['1', '/proc/self/ns/user'])
  })

  test('an exit status passes through', async () => {
    const { line } = inSandbox(user, '/bin/sh', '-c', 'exit 7')
    expect(JSON.parse(await line())).toEqual({ status: 7, signal: null })
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s is passed on, and waited for', async signal => {
    const { child, line } = inSandbox(user, '/bin/sh', '-c', 'echo $$; exec cat')
    const pid = Number(await line())
    // once it is cat: a shell may answer a signal in a way of its own
    await expect.poll(() => readFileSync(`/proc/${pid}/comm`, 'utf8'), { interval: 5 }).toBe('cat\n')
    child.kill(signal)
    expect(JSON.parse(await line())).toEqual({ status: null, signal })
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  test('it goes with us when we are killed', async () => {
    const { child, line } = inSandbox(user, '/bin/sh', '-c', 'echo $$; exec cat')
    const pid = Number(await line())
    child.kill('SIGKILL')
    // its copy of our stdout is closed when it has ended, and only then
    expect(await line()).toBe('undefined')
    await expect.poll(() => processExists(pid)).toBe(false)
  })

  test('what it prints can be had in a file', async () => {
    const file = join(userFolder(user), 'said')
    const script = `
      import { openSync } from 'node:fs'
      import { runInSandbox } from ${library}
      const [nothing, out] = [openSync('/dev/null', 'r'), openSync(process.argv[1], 'w')]
      const args = ['/bin/sh', '-c', 'echo out; echo err >&2; cat']
      await runInSandbox({ kind: 'network' }, { args, env: process.env, stdio: [nothing, out, out] })`
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', script, file], {
      cwd: '/',
      encoding: 'utf8',
      ...identity(user),
    })
    expect(said).toBe('')
    expect(readFileSync(file, 'utf8')).toBe('out\nerr\n')
  })

  test('what cannot be started is an error', async () => {
    const { line } = inSandbox(user, '/no/such/program')
    expect(JSON.parse(await line())).toEqual({ name: 'SyscallError', code: 'ENOENT' })
  })
})
