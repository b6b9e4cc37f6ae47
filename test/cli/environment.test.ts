// Where minilab is started from, and with what: a folder that is gone, a cache that cannot be written, no loopback address.
import { spawnSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isRoot, ORDINARY, self, sharedData, userFolder, users } from '../support/minilab.ts'

const checkout = join(import.meta.dirname, '../..')
const minilab = `${process.execPath} -- ${checkout}/bin.mjs`
const data = sharedData()

/** Runs a script to its end, by a shell behind `wrapper`. */
function run(script: string, { user = self, wrapper = ['env'], env = {} as NodeJS.ProcessEnv } = {}) {
  const { status, stdout, stderr } = spawnSync(wrapper[0]!, [...wrapper.slice(1), 'bash', '-c', script], {
    encoding: 'utf8',
    cwd: checkout,
    env: { ...process.env, MINILAB_DATA: data[user], ...env },
    timeout: 60_000,
    ...(isRoot && user === 'ordinary' ? ORDINARY : {}),
  })
  return { status, stdout, stderr }
}

describe.each(users)('as %s', user => {
  describe('the current folder has been removed', () => {
    const gone = 'd=$(mktemp -d); cd $d; rmdir $d; '

    test.each(['--version', 'ps --json', 'book 3', 'doctor --json', 'run --network none default echo x'])(
      'minilab %s does not need it',
      words => {
        const { status, stdout } = run(`${gone} ${minilab} ${words} 2>/dev/null`, { user })
        expect(status).toBe(0)
        expect(stdout).not.toBe('')
      },
    )

    test.each([
      ['progress', 3],
      ['init w', 3],
      ['book --out x', 3],
      ['step 3 --yes --trace x', 3],
      ['quiz --json', 3],
    ])('minilab %s does, and what it proposes helps', (words, status) => {
      const env = { MINILAB_WORKSPACE: '' }
      const line = 'minilab: the current folder has been removed: go to another one, such as with cd\n'
      expect(run(`${gone} ${minilab} ${words}`, { user, env })).toEqual({ status, stdout: '', stderr: line })
      const { stderr } = run(`${gone} cd; ${minilab} ${words.replace(/ [wx]$/, ' $(mktemp -d)/x')}`, {
        user,
        env: { ...env, HOME: userFolder(user) },
      })
      expect(stderr).not.toContain('current folder')
    })
  })

  test.each(['/etc/passwd', '/proc/nix', '/dev/full', 'read-only', ''])(
    'NODE_COMPILE_CACHE=%s, which cannot be written',
    name => {
      const folder = userFolder(user)
      chmodSync(folder, 0o555)
      const env = { NODE_COMPILE_CACHE: name === 'read-only' ? join(folder, 'x') : name }
      for (const command of ['./minilab', 'sh bin.mjs'])
        expect(
          run(`PATH=${process.execPath.replace(/\/node$/, '')}:$PATH; ${command} ps --json`, { user, env }),
        ).toEqual({
          status: 0,
          stdout: '[]\n',
          stderr: '',
        })
    },
  )
})

/** Starts a server of ours, and prints where it is and what it answers. */
const VISIT = `
  const { spawn } = require('node:child_process')
  const server = spawn(process.execPath, ['--', process.argv[1], ...process.argv.slice(2)], { stdio: ['ignore', 'pipe', 'inherit'] })
  server.on('exit', status => process.exitCode ??= status)
  let said = ''
  server.stdout.on('data', async text => {
    said += text
    const url = /http:\\S+/.exec(said)?.[0]
    if (!url || process.exitCode === 0) return
    process.exitCode = 0
    const { status } = await fetch(url)
    const { status: stranger } = await fetch(url, { headers: { origin: 'http://example.com' } })
    console.log(new URL(url).hostname, status, stranger)
    server.kill()
  })`

const noIp = spawnSync('ip', ['-V']).error ? ' (no ip: apt-get install iproute2)' : ''
describe.skipIf(noIp)(`a network of its own${noIp}`, () => {
  const wrapper = ['unshare', isRoot ? '-n' : '-rn']
  const visit = (words: string) => `${process.execPath} -e "$VISIT" -- ${checkout}/bin.mjs ${words}`
  const env = { VISIT }

  test.each([
    ['view --port 0', '[::1] 200 403\n'],
    ['book --serve --port 0', '[::1] 200 200\n'],
  ])('without an IPv4 loopback address: minilab %s', (words, stdout) => {
    const script = `ip link set lo up; ip addr del 127.0.0.1/8 dev lo; ${visit(words)}`
    expect(run(script, { wrapper, env })).toEqual({ status: 0, stdout, stderr: '' })
  })

  test.each(['view --port 0', 'book --serve --port 0'])(
    'without any: what minilab %s proposes helps',
    words => {
      const none = 'ip link set lo up; ip addr flush dev lo;'
      const { status, stderr } = run(`${none} exec ${minilab} ${words}`, { wrapper, env })
      expect({ status, stderr }).toEqual({
        status: 3,
        stderr:
          'minilab: listen failed with EADDRNOTAVAIL: the loopback interface has no address: sudo ip addr add 127.0.0.1/8 dev lo; sudo ip link set lo up\n',
      })
      const remedy = stderr.slice(stderr.indexOf('sudo')).trim()
      const after = run(`${none} sudo() { "$@"; }; ${remedy}; ${visit(words)}`, { wrapper, env })
      expect(after).toMatchObject({ status: 0, stdout: expect.stringMatching(/^127\.0\.0\.1 200/) as string })
    },
  )
})

const asOrdinary = users.includes('ordinary') ? describe : undefined
asOrdinary?.(
  'an ordinary user who is root of a user namespace (unshare -Ur) is no root of the machine',
  () => {
    const user = 'ordinary'
    const wrapper = ['unshare', '-Ur']

    test('the data folder is below HOME', () => {
      const HOME = userFolder(user)
      expect(run(`unset MINILAB_DATA; ${minilab} doctor`, { user, wrapper, env: { HOME } }).stdout).toContain(
        `${HOME}/.local/share/minilab`,
      )
    })

    test('limits are not delegated to it', () => {
      const { status, stderr } = run(`${minilab} run -m 32m --network none default true`, { user, wrapper })
      expect(status).toBe(125)
      expect(stderr).toMatch(/^minilab: [^\n]*(is not delegated to you|does not delegate)[^\n]*\n$/)
    })

    test('what it makes in a folder of another’s stays its own', () => {
      const env = { SUDO_UID: '4242', SUDO_GID: '4242', MINILAB_WORKSPACE: '' }
      const script = `
      d=$(mktemp -d -u /tmp/minilab-userns-XXXX)
      ${minilab} init $d >/dev/null && ${minilab} step 1 --yes --trace $d.json >/dev/null
      stat -c %u $d $d.json; rm -rf $d*`
      expect(run(script, { user, wrapper, env })).toEqual({ status: 0, stdout: '0\n0\n', stderr: '' })
    })
  },
)
