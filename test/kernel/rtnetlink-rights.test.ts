import { execFileSync } from 'node:child_process'
import { closeSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { AF_NETLINK, NETLINK_ROUTE, SOCK_CLOEXEC, SOCK_RAW } from '../../lib/kernel/syscalls/constants.ts'
import { visit } from '../../lib/kernel/tape/visit.ts'
import { isRoot } from './is-root.ts'
import { connect, hold, lacking, releaseAll } from './network.ts'

// Who may change which network namespace, as root and as an ordinary user beside root.
afterEach(releaseAll)

const ordinary = { uid: 65534, gid: 65534 }
const needsRoot = isRoot ? '' : ' (only as root)'

describe.skipIf(lacking || needsRoot)(`rights${lacking || needsRoot}`, () => {
  /** Runs a module as an ordinary user; it has `openRtnetlinkIn`, `Rtnetlink`, `pids` and prints JSON. */
  function asOrdinaryUser(code: string, pids: number[], fd?: number): unknown {
    const library = JSON.stringify(new URL('../../lib/kernel/netlink/rtnetlink.ts', import.meta.url).href)
    const script = `
      import { openRtnetlinkIn, Rtnetlink } from ${library}
      const pids = process.argv.slice(1).map(Number)
      const attempt = request => { try { request(); return 'ok' } catch (error) { return error.code } }
      const print = value => console.log(JSON.stringify(value))
      ${code}`
    const args = ['--input-type=module', '-e', script, ...pids.map(String)]
    const stdio = ['ignore', 'pipe', 'inherit', ...(fd === undefined ? [] : [fd])] as ('ignore' | number)[]
    return JSON.parse(execFileSync(process.execPath, args, { ...ordinary, stdio, encoding: 'utf8' }))
  }

  test('an ordinary user has all rights over namespaces of their own, none over others', async () => {
    const [own, second, roots] = [
      await hold('-Urn', ordinary),
      await hold('-Urn', ordinary),
      await hold('-n'),
    ]
    const said = asOrdinaryUser(
      `const net = await openRtnetlinkIn(pids[0])
      net.addVeth('mlab0', 'eth0', { pid: pids[1] })
      net.addAddress('mlab0', '10.1.2.1/24')
      net.setUp('mlab0')
      const inside = await openRtnetlinkIn(pids[1])
      inside.setUp('eth0')
      inside.addAddress('eth0', '10.1.2.2/24')
      inside.addRoute({ to: 'default', via: '10.1.2.1' })
      inside.addVeth('back0', 'back1')
      inside.moveTo('back1', { pid: pids[0] })
      const peer = attempt(() => net.addVeth('x0', 'x1', { pid: pids[2] }))
      const move = attempt(() => net.moveTo('mlab0', { pid: pids[2] }))
      const enter = await openRtnetlinkIn(pids[2]).then(() => 'ok', error => error.code)
      print({ peer, move, enter })`,
      [own.pid, second.pid, roots.pid],
    )
    expect(said).toEqual({ peer: 'EPERM', move: 'EPERM', enter: expect.stringMatching(/^E(PERM|ACCES)$/) })
    expect(own.names()).toEqual(['back1', 'lo', 'mlab0'])
    expect(second.names()).toEqual(['back0', 'eth0', 'lo'])
    expect(
      second
        .ip('route')
        .map(route => route.dst)
        .sort(),
    ).toEqual(['10.1.2.0/24', 'default'])
    expect(roots.names()).toEqual(['lo'])
  })

  test('a socket that root opened gives an ordinary user no right to change anything', async () => {
    const roots = await hold('-n')
    const replayed = await visit(roots.pid, ['net'], tape =>
      tape.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE),
    )
    const fd = replayed.find(({ call }) => call === 'socket')!.result!
    try {
      const said = asOrdinaryUser(
        `const net = new Rtnetlink(3)
        print({ read: net.links().map(link => link.name), write: attempt(() => net.setUp('lo')) })`,
        [],
        fd,
      )
      expect(said).toEqual({ read: ['lo'], write: 'EPERM' })
    } finally {
      closeSync(fd)
    }
    expect(roots.ip('link')[0]!.flags).not.toContain('UP')
  })

  test('root may move links out of a user namespace, though the socket was opened inside', async () => {
    const [roots, inner, users] = [await hold('-n'), await hold('-Urn'), await hold('-Urn', ordinary)]
    const net = await connect(inner.pid)
    net.addVeth('a0', 'a1')
    net.moveTo('a0', { pid: roots.pid })
    net.moveTo('a1', { pid: users.pid })
    expect(roots.names()).toEqual(['a0', 'lo'])
    expect(users.names()).toEqual(['a1', 'lo'])
    expect(inner.names()).toEqual(['lo'])
  })
})
