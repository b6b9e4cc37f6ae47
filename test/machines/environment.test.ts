// Where minilab is started from, and with what: a folder that is gone, a cache that cannot be written, no loopback address.
import { spawnSync } from 'node:child_process'
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Diagnosis } from '../../lib/guide/doctor/diagnose.ts'
import { identity, isRoot, self, sharedData, userFolder, users } from '../support/minilab.ts'

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
    ...identity(user),
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
      const line = 'minilab: the current folder has been removed: change to another one (cd)\n'
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

    test("what it makes in a folder of another's stays its own", () => {
      const env = { SUDO_UID: '4242', SUDO_GID: '4242', MINILAB_WORKSPACE: '' }
      const script = `
      d=$(mktemp -d -u /tmp/minilab-userns-XXXX)
      ${minilab} init $d >/dev/null && ${minilab} step 1 --yes --trace $d.json >/dev/null
      stat -c %u $d $d.json; rm -rf $d*`
      expect(run(script, { user, wrapper, env })).toEqual({ status: 0, stdout: '0\n0\n', stderr: '' })
    })
  },
)

// registered only where a dockerd answers, as in .ci/elsewhere
const ofDocker = spawnSync('docker', ['info', '--format', '{{.ID}}']).status === 0 ? describe : undefined
ofDocker?.('in a container of Docker, from a checkout that is read-only', () => {
  const image = `minilab-test-${process.pid}`
  /** The machine's own programs, at the paths that they have here. */
  const MAKE = `d=$(mktemp -d); cd $d; mkdir etc tmp proc sys dev usr; chmod 1777 tmp; cp /etc/passwd etc
    for f in bin sbin lib lib64; do ln -s usr/$f; done; tar -c . | docker import - ${image}; cd /; rm -rf $d`
  beforeAll(() => {
    expect(run(MAKE)).toMatchObject({ status: 0, stderr: '' })
    return () => void run(`docker rmi ${image}`)
  })
  const inDocker = (words: string, options = '') =>
    run(
      `docker run --rm --network none -v /usr:/usr:ro -v ${checkout}:/minilab:ro ${options} ${image} /minilab/minilab ${words}`,
    )
  /** What --privileged gives, without the capabilities that a dockerd may not have itself. */
  const RIGHTS =
    '--security-opt seccomp=unconfined --security-opt systempaths=unconfined --security-opt apparmor=unconfined --cap-add SYS_ADMIN --cap-add NET_ADMIN --tmpfs /data:exec -e MINILAB_DATA=/data'

  test("Docker's own filter: doctor and the steps say so", () => {
    const { probes } = JSON.parse(inDocker('doctor --json').stdout) as Diagnosis
    expect(probes.find(({ id }) => id === 'kernel')).toMatchObject({
      ok: 'blocked',
      found: expect.stringContaining('perhaps by a seccomp filter') as string,
      fix: expect.stringContaining('docker run --privileged') as string,
    })
    for (const words of ['step 1 --yes', 'step 3 --yes --rootless']) {
      const { status, stderr } = inDocker(words)
      expect(status).toBe(3)
      expect(stderr).toMatch(/^minilab: clone3[^\n]+ENOSYS[^\n]+: run outside the container[^\n]*\n$/)
    }
  })

  test.each(['step 1 --yes', 'step 3 --yes --rootless', 'step 3 --yes'])(
    'with all rights: minilab %s',
    words => {
      expect(inDocker(words, RIGHTS)).toMatchObject({ status: 0, stderr: '' })
    },
  )

  test('and cgroups that are read-only: step 4 says so, and shows the rest', () => {
    const { status, stdout } = inDocker('step 4 --yes --plain', RIGHTS)
    expect(status).toBe(0)
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
      /is read-only here \(cgroup v\d\): we seem to be in a container/,
    )
  })

  test('without root, and with no home: what is proposed helps', () => {
    const disk = (options: string) => {
      const { probes } = JSON.parse(inDocker('doctor --json', options).stdout) as Diagnosis
      return probes.find(({ id }) => id === 'disk')
    }
    expect(disk('--user 4242')).toMatchObject({
      ok: 'blocked',
      fix: 'MINILAB_DATA=/a/folder/there ./minilab …',
    })
    expect(disk('--user 4242 -e MINILAB_DATA=/tmp/data')?.ok).toBe('ok')
  })
})
