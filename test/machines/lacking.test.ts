// Where a container or its command lacks what it expects: room, another process, a terminal, a name server, a name, a folder.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { hierarchyOf } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { status as statusOf } from '../../lib/kernel/process/procfs.ts'
import { isRoot, self, sharedData, userData, userFolder } from '../support/minilab.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const FAULT = join(import.meta.dirname, '../fire/fault.ts')
const data = sharedData()
const minilab = `${process.execPath} -- ${ENTRY}`

function script(text: string, folder = data[self]) {
  const { status, stdout, stderr } = spawnSync('bash', ['-c', text], {
    encoding: 'utf8',
    timeout: 60_000, // against hanging
    env: { ...process.env, MINILAB_DATA: folder },
  })
  return { status, stdout, stderr }
}

/** The default image as a plain directory. */
function imageFolder(): string {
  const folder = join(userFolder(), 'image')
  const [layer = ''] = readdirSync(join(data[self], 'layers'))
  cpSync(join(data[self], 'layers', layer, 'diff'), folder, { recursive: true, verbatimSymlinks: true })
  return folder
}

test('a log that reaches the limit on file sizes ends neither the container nor its keeper', () => {
  const inside = 'seq 1 100000; exit 7'
  const run = `ulimit -f 100; ${minilab} run -d --name limited --network none default sh -c '${inside}'`
  onTestFinished(() => void script(`${minilab} rm -f limited`))
  // its exit status is written by the keeper, when all streams have ended
  const ended = `until ${minilab} ps -a --json | grep -qF 'exited (7)'; do sleep 0.1; done`
  expect(script(`${run} && ${ended}`)).toMatchObject({ status: 0, stderr: '' })
  const lines = script(`${minilab} logs limited`).stdout.split('\n')
  expect(lines.slice(0, 3)).toEqual(['1', '2', '3'])
  // with CAP_SYS_RESOURCE there is no limit for the log
  const isFree = (BigInt(`0x${statusOf('self').CapEff}`) & (1n << 24n)) !== 0n
  expect(lines.length < 100_000).toBe(!isFree)
})

const limits = isRoot && hierarchyOf('pids') ? test : undefined
limits?.('--init, which is a process as well, says which limit leaves no room for it', () => {
  const run = `${minilab} run --rm --init --network none --pids-limit 1 default true`
  expect(script(run)).toMatchObject({
    status: 125,
    stderr:
      'minilab: no process can be started in the container: a limit on processes is reached: run it with a higher --pids-limit; ulimit -u shows your own limit\n',
  })
})

test.each([
  ['/dev/null', '1:3', 'c 1 3'],
  ['/dev/urandom', '1:9', 'c 1 9'],
])('a machine whose %s is an ordinary file does not lend it', (path, device, numbers) => {
  const file = join(userFolder(), 'file')
  const inside = `: >${file} && mount --bind ${file} ${path} && ${minilab} run --rm --network none default true`
  const run = `unshare -m${isRoot ? '' : 'r'} sh -c '${inside}'`
  expect(script(run)).toMatchObject({
    status: 125,
    stderr: `minilab: ${path} of this machine is not the device ${device}: as root: rm -f ${path}; mknod -m 666 ${path} ${numbers}\n`,
  })
})

test('a line of passwd with a NUL names no account', () => {
  const folder = imageFolder()
  writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0:root:/ho\0me:/bin/sh\n')
  expect(script(`${minilab} run --rm --network none ${folder} sh -c 'echo $HOME'`).stdout).toBe('/\n')
})

test('-t with a volume in place of /dev/pts says that there is no terminal to open', () => {
  const run = `${minilab} run --rm -t --network none -v ${userFolder()}:/dev/pts default true`
  const { stdout } = script(`script -qec "${run}" /dev/null </dev/null; echo $?`)
  expect(stdout).toBe(
    'minilab: /dev/pts/ptmx of the container does not open a terminal (ENOENT): leave out -t, or the volume on /dev or /dev/pts\r\n125\n',
  )
})

test('/dev/console is the terminal of -t, attached by its descriptor: CVE-2025-52565', () => {
  const inside = 'stat -c %t:%T /dev/console /dev/pts/0; grep /dev/console /proc/self/mountinfo'
  const run = `${minilab} run --rm -t --network none default sh -c '${inside}'`
  const { stdout } = script(`script -qec "${run}" /dev/null </dev/null`)
  expect(stdout).toMatch(/^88:0[\r\n]+88:0[\r\n]+\d+ \d+ \S+ \/0 \/dev\/console .* - devpts /)
})

test('resolv.conf of an image directory may be a link whose target is made by another program later', () => {
  const folder = imageFolder()
  rmSync(join(folder, 'etc/resolv.conf'), { force: true })
  symlinkSync('../run/resolve/resolv.conf', join(folder, 'etc/resolv.conf'))
  const { stdout } = script(`${minilab} run --rm --network host ${folder} cat /etc/resolv.conf`)
  expect(stdout).toBe(readFileSync('/etc/resolv.conf', 'utf8'))
})

test('a container whose id cannot be told is taken away again', () => {
  const run = `${minilab} run -d --name untold --network none default sleep 1000 >/dev/full`
  expect(script(run)).toMatchObject({
    status: 125,
    stderr: expect.stringContaining('cannot write to stdout') as string,
  })
  expect(script(`${minilab} ps -a --json`).stdout).not.toContain('untold')
})

test('a name is none that could be taken for an id', () => {
  const { status, stderr } = script(`${minilab} run --rm --name 6fd8370cbf55 default true`)
  expect({ status, stderr }).toEqual({
    status: 125,
    stderr:
      'minilab: "6fd8370cbf55" looks like the id of a container: choose a name that does not look like an id\n',
  })
})

test("with the host's network it has the host's name, which its /etc/hosts knows", () => {
  const { stdout } = script(`${minilab} run --rm --network host default hostname`)
  expect(stdout).toBe(`${hostname()}\n`)
})

test('a data folder that is a file or a device is told as such, and left as it is', () => {
  const { stderr } = script(`MINILAB_DATA=/dev/null ${minilab} ps`)
  expect(stderr).toBe(
    'minilab: the data folder /dev/null is not a directory: set MINILAB_DATA to a folder that belongs to you\n',
  )
})

test('the log of a container that never started goes with the next command, where `run -d` was killed; else it stays', () => {
  const folder = userData()
  const run = `${minilab} run -d --name logged --network none default sleep 1000`
  const next = () => (script(`${minilab} run --rm --network none default true`, folder), logs())
  const logs = () => readdirSync(join(folder, 'logs'))
  const operations = join(userFolder(), 'operations')
  const faulty = (fault: string) =>
    script(
      `MINILAB_FAULT=${fault} MINILAB_FAULT_LOG=${operations} NODE_OPTIONS='--import ${FAULT}' ${run}`,
      folder,
    )
  onTestFinished(() => void script(`${minilab} rm -f logged`, folder))

  for (const name of ['ledger', 'logs']) mkdirSync(join(folder, name)) // the first command makes them, and counts otherwise
  faulty('count')
  script(`${minilab} rm -f logged`, folder)
  const made = readFileSync(operations, 'utf8').split('\n')
  const numberOf = (what: RegExp) => made.find(line => what.test(line))?.split('\t')[0] ?? ''
  const opened = numberOf(/\topen\t.*\/logs\//)
  faulty(`kill:${opened}`)
  expect(logs()).toHaveLength(1)
  expect(next()).toEqual([])

  // the monitor has been told, and the container runs: whoever started it is needed no more
  const [parent] = opened.split('/')
  const told = numberOf(new RegExp(`^${parent}/\\d+\twrite\t(pipe|socket):.*[0-9a-f]{12}`)) // the id
  expect(faulty(`kill:${told}`).stdout).toMatch(/^[0-9a-f]{12}\n$/)
  expect(readdirSync(join(folder, 'ledger'))).toHaveLength(1)
  expect(next()).toHaveLength(1)
  expect(readdirSync(join(folder, 'ledger'))).toHaveLength(1)
})
