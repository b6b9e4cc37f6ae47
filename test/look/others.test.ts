import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { flat } from '../../lib/look/processes.ts'
import { snapshot } from '../../lib/look/snapshot.ts'
import { isRoot, makeUserFolder, runMinilab, userData } from '../support/minilab.ts'
import { children, container, known, looked, output, BUSY, sleeper, KINDS, THREE } from './support.ts'

describe('a process that is no container', () => {
  test('shares everything with the host, and the host is not drawn', async () => {
    const pid = sleeper()
    const seen = (await snapshot(pid, 'sleep'))!
    expect(seen.processes).toMatchObject({
      scope: 'descendants',
      count: 1,
      roots: [{ pid, inside: pid, command: 'sleep 1000' }],
    })
    expect(seen.namespaces.map(({ own, inode, host }) => own === false && inode === host)).toEqual(
      KINDS.map(() => true),
    )
    expect(seen.network).toMatchObject({ own: false, links: [], outside: null })
    expect(known(seen.mounts).shared).toBe(true)
    expect(seen.cgroup.memory.others).not.toBe(0)
  })

  test('its descendants belong to it, those of others do not', async () => {
    const pid = sleeper('sh', '-c', '(sleep 1001; :) & wait')
    await expect.poll(async () => (await snapshot(pid, 'sh'))?.processes.count, BUSY).toBe(3)
    const seen = (await snapshot(pid, 'sh'))!
    expect(flat(seen.processes.roots).map(({ name }) => name)).toEqual(['sh', 'sh', 'sleep'])
  })

  test('one that has ended is null, also one that ends meanwhile', async () => {
    const seen = await Promise.all(
      Array.from({ length: 24 }, async (_, i) => {
        const child = spawn('unshare', [
          '--user',
          '--map-root-user',
          '--net',
          '--pid',
          '--fork',
          'sleep',
          '1000',
        ])
        const ended = once(child, 'exit')
        await expect.poll(() => children(child.pid!), BUSY).toHaveLength(1)
        const [first = 0] = children(child.pid!)
        // the end comes at another moment of the look each time
        const look = snapshot(first, 'short')
        for (let turn = 0; turn < i; turn++) await Promise.resolve()
        if (i % 3 === 0) process.kill(first, 'SIGKILL')
        else setImmediate(() => process.kill(first, 'SIGKILL'))
        const found = await look
        await ended
        return { found, later: await snapshot(first, 'short') }
      }),
    )
    for (const { found, later } of seen) {
      expect(found === null || found.name === 'short').toBe(true)
      expect(later).toBeNull()
    }
  })

  test.skipIf(!isRoot)(
    'one that exits has ended: until all others in its pid namespace are reaped it is no zombie',
    async () => {
      const parent = sleeper('unshare', '--net', '--pid', '--fork', 'sleep', '1000')
      await expect.poll(() => children(parent), BUSY).toHaveLength(1)
      const [first = 0] = children(parent)
      const reaper = sleeper('nsenter', '--target', String(first), '--pid', 'sleep', '1001')
      await expect.poll(() => children(reaper), BUSY).toHaveLength(1)
      process.kill(reaper, 'SIGSTOP')
      process.kill(first, 'SIGKILL')
      await expect.poll(() => output('ps', '-o', 'stat=', '--ppid', String(reaper)), BUSY).toMatch(/^Z/)
      expect(output('ps', '-o', 'stat=', '-p', String(first))).not.toMatch(/^Z/)
      expect(await snapshot(first, 'exits')).toBeNull()
    },
  )

  test('one that only waits to be reaped has ended', async () => {
    const parent = sleeper('sh', '-c', 'sleep 0 & exec sleep 1000')
    await expect.poll(() => output('ps', '-o', 'stat=', '--ppid', String(parent)), BUSY).toMatch(/^Z/)
    expect(await snapshot(children(parent)[0]!, 'zombie')).toBeNull()
    // and among others it is seen as what it is
    expect((await snapshot(parent, 'parent'))?.processes.roots[0]?.children[0]).toMatchObject({
      state: 'Z',
      stateName: 'zombie',
      command: '[sleep]',
    })
  })
})

test.skipIf(!isRoot)(
  'a cable is followed also from a process whose parents have gone (as root: it is plugged in by hand)',
  async () => {
    const pid = Number(output('sh', '-c', 'unshare --net sleep 1000 >/dev/null 2>&1 & echo $!'))
    onTestFinished(() => void process.kill(pid, 'SIGKILL'))
    await expect
      .poll(() => output('readlink', `/proc/${pid}/ns/net`), BUSY)
      .not.toBe(output('readlink', '/proc/self/ns/net'))
    const name = `look${pid}`
    output('ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', 'inside0', 'netns', String(pid))
    const { network } = (await snapshot(pid, 'alone'))!
    expect(network.links.find(link => link.name === 'inside0')).toMatchObject({
      kind: 'veth',
      up: false,
      addresses: [],
    })
    expect(network.outside).toMatchObject({
      host: true,
      cables: [{ inside: 'inside0', peer: { name }, bridge: null }],
    })
    expect(network.defaultRoute).toBeNull()
  },
)

describe.skipIf(!isRoot)("another user's container (as root: there are two users)", () => {
  test('an ordinary user is told what is not readable, and sees the rest', async () => {
    const { pid } = await container([], THREE, { user: 'root' })
    await expect.poll(() => children(pid), BUSY).toHaveLength(2)
    const seen = await looked(String(pid), { user: 'ordinary', data: userData('ordinary') })
    expect(seen.processes.why).toContain(`/proc/${pid}/ns/pid`)
    expect(seen.processes.roots[0]).toMatchObject({ pid, inside: 1, children: [{}, {}] })
    for (const { inode } of seen.namespaces) expect(inode).toHaveProperty('notReadable')
    expect(known(seen.mounts).overlays[0]?.upper?.content).toHaveProperty('notReadable')
    expect(seen.network.limited).toContain('EACCES')
    expect(seen.network.links.map(({ name }) => name)).toEqual(['lo', 'eth0'])
    expect(seen.security.seccomp).toBe('filter')
  })
})

describe.skipIf(!isRoot)("a step's container that waits with --keep (as root: runc needs cgroups)", () => {
  test.each(['minilab', 'runc'])('made by %s', async runtime => {
    const data = makeUserFolder('root')
    const child = spawn(
      process.execPath,
      [
        join(import.meta.dirname, '../../bin.mjs'),
        ...`step 3 --runtime ${runtime} --yes --plain --keep`.split(' '),
      ],
      { stdio: ['pipe', 'ignore', 'pipe'], env: { ...process.env, MINILAB_DATA: data } },
    )
    const ended = once(child, 'exit')
    onTestFinished(async () => {
      child.stdin.end('\n')
      await ended
      output('rm', '-rf', data)
    })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => (said += String(chunk)))
    await expect.poll(() => said, BUSY).toMatch(/first process is \d+/)
    const pid = Number(/first process is (\d+)/.exec(said)![1])
    const seen = await looked(String(pid), { user: 'root', data })
    expect(seen.processes.roots[0]).toMatchObject({ pid, inside: 1 })
    expect(seen.namespaces.find(({ kind }) => kind === 'mnt')?.inode).toBe(
      Number(/\d+/.exec(output('readlink', `/proc/${pid}/ns/mnt`))![0]),
    )
    if (runtime === 'runc') return // whose processes are not our children
    const found = await runMinilab(['look', '--plain'], { user: 'root', data })
    expect(found.stdout).toContain(`pid ${pid}, inside 1`)
  })
})
