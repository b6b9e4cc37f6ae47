import { type ChildProcess, spawn } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Entry } from '../../lib/container/ledger/ledger-entry.ts'
import { currentNetns, ownerLives, recover } from '../../lib/container/ledger/ledger.ts'
import { isRunning } from '../../lib/container/state/state.ts'
import { readControl } from '../../lib/kernel/cgroup/control-file.ts'
import { bootId, isAlive, startTime } from '../../lib/kernel/process/procfs.ts'
import { isolated } from '../support/isolated.ts'
import { identity, isRoot, runMinilab, type UserName, users, self, userData } from '../support/minilab.ts'
import { stateOf } from '../support/state.ts'

// After a reboot pids begin anew, and so do start times, in ticks since the start: only the boot id tells the two apart.
const EARLIER = '00000000'
const ORDINARY = { uid: 65534, gid: 65534 }

/** A process that has nothing to do with us, and has the pid of one that had. */
function stranger(user: UserName = self): { pid: number; started: number; lives(): boolean } {
  const asOrdinary = identity(user)
  const child: ChildProcess = spawn('sleep', ['1000'], { stdio: 'ignore', ...asOrdinary })
  onTestFinished(() => void child.kill('SIGKILL'))
  const pid = child.pid!
  return { pid, started: startTime(pid), lives: () => child.signalCode === null && child.exitCode === null }
}

/** A ledger of a process; returns its path. */
function note(data: string, name: { pid: number; started: number; boot: string }, entries: Entry[]): string {
  mkdirSync(join(data, 'ledger'), { recursive: true })
  const path = join(data, 'ledger', `${name.pid}-${name.started}-${name.boot}-0.jsonl`)
  writeFileSync(path, entries.map(entry => JSON.stringify(entry) + '\n').join(''))
  return path
}

function folder(data: string, id: string): string {
  const path = join(data, 'containers', id)
  mkdirSync(path, { recursive: true })
  return path
}

const names = [
  { why: "its pid is another's", change: { started: 1 } },
  {
    why: 'the machine was started anew, and pid and start time are the same by chance',
    change: { boot: EARLIER },
  },
]

describe.each(names)('$why', ({ change }) => {
  test('a ledger is taken back, and who has the pid now is left alone', async () => {
    const data = userData()
    const { pid, started, lives } = stranger()
    const owner = { pid, started, boot: bootId(), ...change }
    const half = folder(data, '0123456789ab')
    // in the same way the ledger names a process that has ended long ago
    const entries: Entry[] = [
      { kind: 'folder', path: half },
      { kind: 'process', pid, started: owner.started },
    ]
    const path = note(data, owner, entries)
    expect(ownerLives(path)).toBe(false)
    expect(await recover(data)).toEqual([`folder ${half}`])
    expect(existsSync(half)).toBe(false)
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
    expect(lives()).toBe(true)
  })

  test('the same for one that somebody was about to take back', async () => {
    const data = userData()
    const { pid, started, lives } = stranger()
    const owner = { pid: 4194303, started: 1, boot: bootId(), ...change }
    const settler = { started, ...change }
    const path = note(data, owner, [{ kind: 'folder', path: folder(data, '0123456789ab') }])
    writeFileSync(`${path}.${pid}-${settler.started}`, '')
    expect(ownerLives(`${path}.${pid}-${settler.started}`)).toBe(false)
    await recover(data)
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
    expect(lives()).toBe(true)
  })

  test.each(users)(
    'a container does not run any more, as %s',
    async user => {
      const data = userData(user)
      const { pid, started, lives } = stranger(user)
      const process = { pid, started, boot: bootId(), ...change }
      const state = stateOf('abcdef012345', { ...process, keeper: { pid, started: process.started } })
      delete state.exit
      expect(isRunning(state)).toBe(false)
      writeFileSync(join(folder(data, state.id), 'state.json'), JSON.stringify(state))
      note(data, process, [{ kind: 'folder', path: folder(data, '0123456789ab') }])
      if (isRoot && user === 'ordinary')
        for (const path of ['', 'containers', `containers/${state.id}`, 'containers/0123456789ab', 'ledger'])
          chownSync(join(data, path), ORDINARY.uid, ORDINARY.gid)
      const wrapper = user === 'root' ? (await isolated()).wrapper : []
      const minilab = async (...args: string[]) => runMinilab(args, { data, user, wrapper })

      expect(JSON.parse((await minilab('ps', '--json')).stdout)).toEqual([])
      expect(JSON.parse((await minilab('ps', '--all', '--json')).stdout)).toMatchObject([
        { id: state.id, status: 'ended (status unknown)', pid: null },
      ])
      expect((await minilab('kill', state.id)).stderr).toContain('is not running')
      expect((await minilab('exec', state.id, 'true')).stderr).toContain('is no longer running')
      // recovers on its way
      expect(await minilab('run', '--rm', '--network', 'none', 'default', 'true')).toMatchObject({
        status: 0,
        stderr: '',
      })
      expect(readdirSync(join(data, 'ledger'))).toEqual([])
      expect(readdirSync(join(data, 'containers'))).toEqual([state.id])
      note(data, process, [{ kind: 'folder', path: folder(data, '0123456789ab') }])
      if (isRoot && user === 'ordinary')
        chownSync(join(data, 'containers/0123456789ab'), ORDINARY.uid, ORDINARY.gid)
      expect(await minilab('clean')).toMatchObject({ status: 0, stderr: '' })
      expect(readdirSync(join(data, 'containers'))).toEqual([state.id])
      expect(await minilab('rm', '-f', state.id)).toMatchObject({ status: 0, stderr: '' })
      expect(readdirSync(join(data, 'containers'))).toEqual([])
      expect(lives()).toBe(true)
    },
    240_000,
  )
})

test('the ledger of a process that runs stays, and the process of one that does not is ended', async () => {
  const data = userData()
  const mine = { pid: process.pid, started: startTime('self'), boot: bootId() }
  const path = note(data, mine, [{ kind: 'folder', path: folder(data, '0123456789ab') }])
  const { pid, started } = stranger()
  note(data, { pid: 4194303, started: 1, boot: bootId() }, [{ kind: 'process', pid, started }])
  expect(ownerLives(path)).toBe(true)
  expect(await recover(data)).toEqual([`process ${pid}`])
  expect(isAlive(pid, started)).toBe(false)
  expect(existsSync(path)).toBe(true)
})

test('of what was made before a reboot only files are still there', async () => {
  const data = userData()
  const path = '/proc/sys/net/ipv4/conf/lo/forwarding'
  const netns = currentNetns()
  note(data, { pid: 4194303, started: 1, boot: EARLIER }, [
    // the kernel would refuse such a value
    { kind: 'sysctl', path, before: 'no value', set: readControl(path), netns },
    { kind: 'process', pid: process.pid, started: startTime('self') },
  ])
  expect(await recover(data)).toEqual([])
  expect(readdirSync(join(data, 'ledger'))).toEqual([])
})
