// Learners' code that attacks the machine on which `check` and `watch` try it.
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { release } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { hierarchies } from '../../lib/kernel/cgroup/cgroupfs.ts'
import {
  KEY_SPEC_SESSION_KEYRING,
  KEYCTL_GET_KEYRING_ID,
  KEYCTL_JOIN_SESSION_KEYRING,
} from '../../lib/kernel/syscalls/constants.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'
import type { Verdict } from '../../lib/labs/verdict.ts'
import { isRoot, runMinilab, thorough, users } from '../support/minilab.ts'
import { newLearner, solution } from '../labs/support.ts'

/** The file of lab 1 with code in front of it. */
const before = (code: string) =>
  `import fs from 'node:fs'\nimport cp from 'node:child_process'\nvoid [fs, cp]\n${code}\n${solution('1-cli')}`

describe.skipIf(!isRoot)('as root', () => {
  // a setting is only opened, or gets the value that it has
  const write = (path: string) => `
    try { fs.writeFileSync('${path}', fs.readFileSync('${path}')); console.log('wrote ${path}') }
    catch ({ code, syscall }) { console.log(syscall, code) }`
  const settings = ['kernel/core_pattern', 'vm/swappiness', 'fs/file-max'].map(name => `/proc/sys/${name}`)

  const unified = hierarchies().some(({ version }) => version === 2)
  test.skipIf(!unified)('no setting of the machine can be written to (needs a cgroup v2)', async () => {
    const { write: put, check } = await newLearner('root')
    put('1-cli.ts', before(settings.map(write).join('')))
    expect((await check(1)).said).toBe('write EPERM\n'.repeat(3))
  })

  test.skipIf(!unified)(
    'nor by a proc that it mounts; but one of a namespace can (needs a cgroup v2)',
    async () => {
      const { write: put, check } = await newLearner('root')
      const paths = [...settings, '/proc/sys/kernel/domainname', '/proc/sys/net/ipv4/ip_forward']
      const code = `import fs from 'node:fs';${paths.map(write).join('')}`
      put(
        '1-cli.ts',
        before(`
          const sh = 'mount -t proc proc /proc && exec "$0" --input-type=module -e "$1"'
          const { stdout, stderr } = cp.spawnSync('unshare', ['-mpf', 'sh', '-c', sh, process.execPath, ${JSON.stringify(code)}])
          console.log(String(stdout) + String(stderr))
          console.log(String(cp.spawnSync('sh', ['-c', 'umount /proc; umount /proc; grep " /proc " /proc/self/mountinfo']).stdout))`),
      )
      const { said } = await check(1)
      expect(said).toContain(
        'write EPERM\nwrite EPERM\nwrite EPERM\nwrote /proc/sys/kernel/domainname\nwrote /proc/sys/net/ipv4/ip_forward\n',
      )
      // where its proc is removed, that of the machine shows, and cannot be written to
      expect(said).toMatch(/^\S+ \S+ \S+ \/ \/proc ro,/m)
    },
  )

  const [major = 0, minor = 0] = release().split('.').map(Number)
  test.skipIf(!unified || major < 6 || (major === 6 && minor < 7))(
    'it connects to no Unix socket of the machine (needs a cgroup v2, Linux 6.7)',
    async () => {
      const { folder, write: put, check } = await newLearner('root')
      const path = join(folder, 'socket')
      const server = createServer(() => heard++)
      let heard = 0
      await new Promise<void>(resolve => server.listen(path, resolve))
      onTestFinished(() => void server.close())
      put(
        '1-cli.ts',
        before(`
          const { connect } = await import('node:net')
          const socket = connect('${path}')
          console.log(await new Promise(done => socket.on('error', ({ code }) => done(code)).on('connect', () => done('connected'))))
          socket.destroy()`),
      )
      const { said } = await check(1)
      expect(said).toBe('EPERM\n')
      expect(heard).toBe(0)
    },
  )

  test('what the machine mounts later does not appear', async () => {
    const { folder, data, write } = await newLearner('root')
    const [usb, go] = [join(folder, 'usb'), join(folder, 'go')]
    mkdirSync(usb)
    write(
      '1-cli.ts',
      before(`
        fs.writeFileSync(process.env.MINILAB_DATA + '/ready', '')
        while (!fs.existsSync('${go}')) cp.spawnSync('sleep', ['0.1'])
        try { fs.writeFileSync('${usb}/here', '') } catch ({ code }) { console.log(code, fs.readdirSync('${usb}')) }`),
    )
    // a machine of its own, whose mounts are shared, as systemd makes them
    const machine = `
      mount --make-rprivate / && mount --make-rshared / || exit 9
      "$@" & until ls "$MINILAB_DATA"/containers/sandbox-*/ready; do sleep 0.1; done >/dev/null 2>&1
      mount -t tmpfs usb '${usb}' && echo data > '${usb}/data' && touch '${go}'
      wait $!; ls '${usb}' >&2; umount '${usb}'`
    const { stdout, stderr } = await runMinilab(['check', '1', '--json'], {
      user: 'root',
      data,
      env: { MINILAB_WORKSPACE: folder },
      wrapper: ['unshare', '-m', 'sh', '-c', machine, 'sh'],
    })
    expect(stderr).toBe('data\n')
    const { said } = JSON.parse(stdout) as Verdict
    expect(said).toBe('EROFS []\n')
  })
})

/** What the code of a trial puts into the place of what minilab reads of it, and then ends. */
const instead = (name: string, put: string) =>
  before(`
    const file = process.env.MINILAB_DATA + '/${name}'
    fs.rmSync(file, { force: true })
    ${put}
    process.kill(process.pid, 'SIGKILL')`)

const PUTS: [name: string, what: string, put: (secret: string) => string][] = [
  ['said.txt', 'a link', secret => `fs.symlinkSync('${secret}', file)`],
  ['said.txt', 'a FIFO', () => `cp.spawnSync('mkfifo', [file])`],
  ['said.txt', 'a link to /dev/zero', () => `fs.symlinkSync('/dev/zero', file)`],
  ['said.txt', 'a directory', () => `fs.mkdirSync(file)`],
  ['trial.json', 'a link', secret => `fs.symlinkSync('${secret}.json', file)`],
  ['trial.json', 'a FIFO', () => `cp.spawnSync('mkfifo', [file])`],
  ['trial.json', 'a directory', () => `fs.mkdirSync(file)`],
  ['trial.json', 'null', () => `fs.writeFileSync(file, 'null')`],
  [
    'trial.json',
    'another shape',
    () => `fs.writeFileSync(file, '{"report": {"checks": [1]}, "tapes": 7, "spoiled": []}')`,
  ],
  [
    'stuck.json',
    'a path out of the workspace',
    secret => `
      fs.writeFileSync(file, JSON.stringify([{ file: import.meta.dirname + '/../mine/../${secret}', line: 1 }]))
      process.removeAllListeners('exit')
      process.exit(87)`,
  ],
]

describe.each(users)('as %s', user => {
  const [first, ...others] = PUTS
  test.for([first!, ...thorough(others)])(
    'of %s only what the sandbox has written is read, and not %s',
    async ([name, , put]) => {
      const { write, run, folder } = await newLearner(user)
      write('secret', 'a secret of the machine\n')
      const problem = { what: 'a secret of the machine', remedy: 'none' }
      write('secret.json', JSON.stringify({ problem, tapes: {}, host: [], spoiled: [] }))
      write('1-cli.ts', instead(name, put(name === 'stuck.json' ? 'mine/secret' : join(folder, 'secret'))))
      const { status, stdout, stderr } = await run(['check', '1', '--json'])
      expect(stderr).toBe('')
      expect(status).toBe(1)
      expect(stdout).not.toContain('a secret of the machine')
      expect((JSON.parse(stdout) as Verdict).problem?.what).toMatch(
        /^its process ended by|^it runs without end$/,
      )
    },
  )

  test('it has not the keys of who checks it', async () => {
    now.keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0)
    const ours = now.keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0)
    const { write, check } = await newLearner(user)
    const library = new URL('../../lib/kernel/syscalls/now.ts', import.meta.url).href
    write(
      '1-cli.ts',
      before(`
        const { now } = await import('${library}')
        const id = now.keyctl(${KEYCTL_GET_KEYRING_ID}, ${KEY_SPEC_SESSION_KEYRING}, 0)
        console.log(id > 0, id === ${ours})`),
    )
    expect((await check(1)).said).toBe('true false\n')
  })

  test('what it prints, throws and is reaches no terminal as a command', async () => {
    const { write, run } = await newLearner(user)
    const [ask, line] = ['\\x1b[6n\\x9b6n', '/* \x1b]52;c;eA==\x07\u202e */ throw new Error(text)']
    write('1-cli.ts', before(`const text = '${ask}'; console.log(text)\n${line}`))
    for (const command of ['check', 'diff']) {
      const { stdout } = await run([command, '1'])
      expect(stdout).toContain('\\u001b[6n\\u009b6n')
      expect(stdout).toContain('\\u001b]52;')
      expect(stdout).not.toMatch(/[^\P{Cc}\n\t]|\p{Bidi_Control}/u)
    }
  })

  test.each([
    ['a FIFO', 'no regular file', (path: string) => execFileSync('mkfifo', [path])],
    ['a link to /dev/zero', 'no regular file', (path: string) => symlinkSync('/dev/zero', path)],
    ['too large', 'larger than 1 MiB', (path: string) => writeFileSync(path, Buffer.alloc(2 ** 20 + 1))],
  ])('a file that is %s is one line', async (_, says, put) => {
    const { run, folder } = await newLearner(user)
    for (const name of ['1-cli.ts', 'helper.ts']) {
      rmSync(join(folder, name), { force: true })
      put(join(folder, name))
      const { status, stderr } = await run(['check', '1'])
      expect(stderr).toMatch(new RegExp(`^minilab: \\S+/${name} is ${says}: .*\n$`))
      expect(status).toBe(2)
      rmSync(join(folder, name))
      if (name === '1-cli.ts') writeFileSync(join(folder, name), solution('1-cli'))
    }
  })

  test('a FIFO that it imports holds up neither the trial nor the type checker', async () => {
    const { write, check, folder } = await newLearner(user)
    mkdirSync(join(folder, 'more'))
    execFileSync('mkfifo', [join(folder, 'more/fifo.ts')])
    write('1-cli.ts', `import './more/fifo.ts'\n${solution('1-cli')}`)
    const { problem, mistakes } = (await check(1, { MINILAB_TRIAL_LIMIT: '10000' })) as Verdict & {
      mistakes: { says: string }[]
    }
    expect(problem?.what).toMatch('it had not come to an end after 10 s')
    expect(mistakes.map(({ says }) => says)).toEqual([expect.stringContaining('had not ended after 10 s')])
    const names = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    expect(names).not.toContain(folder)
  })
})
