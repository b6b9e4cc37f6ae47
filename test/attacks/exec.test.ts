// What may be wrong in a container that is joined, or in the session from which it is joined.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { self, sharedData, userFolder } from '../support/minilab.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const minilab = `${process.execPath} -- ${ENTRY}`
const data = sharedData()

function bash(script: string, env: NodeJS.ProcessEnv = {}) {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], {
    encoding: 'utf8',
    timeout: 60_000, // against hanging
    env: { ...process.env, MINILAB_DATA: data[self], ...env },
  })
  return { status, stdout, stderr }
}

/** A container of this name, in the background. */
function start(name: string, program: string, { before = '', flags = '' } = {}): void {
  const run = `${minilab} run -d --rm --name ${name} --network none ${flags} default sh -c '${program}'`
  expect(bash(`${before} ${run}`)).toMatchObject({ status: 0, stderr: '' })
  onTestFinished(() => void bash(`${minilab} rm -f ${name}`))
}

test('from a session with a lower limit on open files than that of the container: it gets the lower one', () => {
  start('wide', 'sleep 1000', { before: 'ulimit -n 4096; export MINILAB_OPEN_FILES=1024;' })
  const limits = (most: number) =>
    bash(`ulimit -n ${most}; ${minilab} exec wide sh -c 'ulimit -Sn; ulimit -Hn'`)
  expect(limits(512)).toEqual({ status: 0, stdout: '512\n512\n', stderr: '' })
  expect(limits(2048)).toEqual({ status: 0, stdout: '1024\n2048\n', stderr: '' })
})

test.each(['/proc/self/root/etc/passwd', '/proc/thread-self/x', '/dev/stdin', '/dev/fd/0'])(
  'its /etc/passwd is a link to %s: there is no such user',
  target => {
    start('linked', `ln -sfn ${target} /etc/passwd; sleep 1000`)
    const ran = bash(
      `until ${minilab} exec linked test -L /etc/passwd; do :; done; ${minilab} exec -u nobody linked true`,
    )
    expect(ran).toMatchObject({
      status: 125,
      stderr: expect.stringMatching(/^minilab: [^\n]*nobody[^\n]*\n$/) as string,
    })
    expect(ran.stderr).not.toContain('readlink')
  },
)

test('its first process has made a chroot: users and terminals are those of the container', () => {
  const jail =
    'mkdir -p /jail/bin /jail/etc; cp /bin/busybox /bin/sh /jail/bin; echo evil:x:7:7::/:/bin/sh >/jail/etc/passwd'
  start('jailed', `${jail}; exec chroot /jail /bin/sh -c "while :; do :; done"`)
  bash(`until [ $(${minilab} exec jailed sh -c "readlink /proc/1/root") = /jail ]; do :; done`)
  const exec = (words: string) => bash(`${minilab} exec ${words} </dev/null`)
  expect(exec('-u nobody jailed id -u')).toEqual({ status: 0, stdout: '65534\n', stderr: '' })
  expect(exec('-u evil jailed id')).toMatchObject({ status: 125, stdout: '' })
  expect(exec('-t jailed tty')).toEqual({
    status: 0,
    stdout: expect.stringMatching(/^[/]dev[/]pts[/]\d+\r\n$/) as string,
    stderr: '',
  })
})

test('it kills all that joins it: the exit status is that of what was killed', () => {
  start('deadly', 'while :; do kill -9 -1; done 2>/dev/null')
  for (let i = 0; i < 3; i++)
    expect(bash(`${minilab} exec deadly sh -c 'sleep 30; echo survived'`)).toEqual({
      status: 137,
      stdout: '',
      stderr: '',
    })
})

// a long PATH, which is searched last of all, gives it time to look
test('what joins it is not to be traced, not even with CAP_SYS_PTRACE, and at no moment our program: CVE-2016-9962', () => {
  const folder = userFolder()
  const look = 'for p in /proc/[0-9]*; do readlink $p/exe || ls -l $p/exe; done >>/seen/exe 2>>/seen/refused'
  start('watching', `while :; do ${look}; done`, { flags: `--cap-add SYS_PTRACE -v ${folder}:/seen` })
  const path = `${'/x:'.repeat(10_000)}/bin`
  const seen = (file: string) => readFileSync(join(folder, file), 'utf8')
  for (let i = 0; i < 30 && !(i > 3 && seen('refused').includes('Permission denied')); i++)
    expect(bash(`${minilab} exec -e PATH=${path} watching true`)).toMatchObject({ status: 0, stderr: '' })
  expect(seen('refused')).toMatch(/[/]proc[/]\d+[/]exe: cannot read link: Permission denied/)
  const programs = new Set(seen('exe').match(/^[/](?!proc).*$/gm))
  expect([...programs]).toEqual(['/bin/busybox'])
})

test('-it without a terminal is refused, as run refuses it', () => {
  start('piped', 'exec sleep 1000')
  for (const command of ['exec -it piped cat', `run --rm -it default cat`])
    expect(bash(`echo x | ${minilab} ${command}`)).toEqual({
      status: 125,
      stdout: '',
      stderr: 'minilab: -it needs a terminal, but stdin is not one: leave out -t\n',
    })
})
