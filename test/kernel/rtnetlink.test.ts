import { closeSync, openSync, readdirSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { NLM_F_CREATE, NLM_F_EXCL } from '../../lib/kernel/syscalls/constants.ts'
import { ClosedError, NetlinkError } from '../../lib/kernel/netlink/netlink.ts'
import { messages } from '../../lib/kernel/netlink/rtnetlink-messages.ts'
import { openRtnetlink } from '../../lib/kernel/netlink/rtnetlink.ts'
import { isRoot } from './is-root.ts'
import { connect, hold, lacking, releaseAll } from './network.ts'

// Every link is made in network namespaces of children of these tests, and iproute2 judges what is there.
afterEach(releaseAll)

const namespaces = isRoot ? (['-n', '-Urn'] as const) : (['-Urn'] as const)
describe.skipIf(lacking).each(namespaces)(`in a namespace of unshare %s${lacking}`, flag => {
  test('links are made, changed and deleted', async () => {
    const there = await hold(flag)
    const net = await connect(there.pid)
    net.addVeth('mlab0', 'mlab1')
    net.addBridge('br0')
    net.setMaster('mlab0', 'br0')
    net.setMac('mlab1', '02:42:ac:11:00:02')
    net.setMtu('mlab1', 1400)
    net.setAlias('mlab1', 'to the container')
    net.rename('mlab1', 'eth0')
    net.setUp('eth0')
    const links = there.ip('link')
    expect(links.map(link => link.ifname).sort()).toEqual(['br0', 'eth0', 'lo', 'mlab0'])
    const named = (name: string) => links.find(link => link.ifname === name)!
    expect(named('mlab0')).toMatchObject({ linkinfo: { info_kind: 'veth' }, master: 'br0', link: 'eth0' })
    expect(named('br0')).toMatchObject({ linkinfo: { info_kind: 'bridge' } })
    expect(named('eth0')).toMatchObject({
      mtu: 1400,
      address: '02:42:ac:11:00:02',
      ifalias: 'to the container',
    })
    expect(named('eth0').flags).toContain('UP')
    expect(named('mlab0').flags).not.toContain('UP')

    net.setDown('eth0')
    expect(there.ip('link', 'show', 'eth0')[0]!.flags).not.toContain('UP')
    net.delete('mlab0')
    expect(there.names()).toEqual(['br0', 'lo']) // both ends went
  })

  test('a bridge keeps its address, whatever is plugged in', async () => {
    const there = await hold(flag)
    const net = await connect(there.pid)
    const address = () => there.ip('link', 'show', 'br0')[0]!.address
    net.addBridge('br0')
    const before = address()
    expect(before).toMatch(/^02(:[0-9a-f]{2}){5}$/)
    net.addVeth('mlab0', 'mlab1')
    net.setMac('mlab0', '02:00:00:00:00:01') // the lowest is what a bridge would take
    net.setMaster('mlab0', 'br0')
    expect(address()).toBe(before)
  })

  test('a link on a bridge is isolated', async () => {
    const there = await hold(flag)
    const net = await connect(there.pid)
    net.addBridge('br0')
    const isolated = (name: string) =>
      there.ip('link', 'show', name)[0]!.linkinfo.info_slave_data.isolated as boolean
    for (const n of [0, 1]) {
      net.addVeth(`mlab${n}`, `peer${n}`)
      net.setMaster(`mlab${n}`, 'br0')
    }
    net.isolate('mlab0')
    expect([isolated('mlab0'), isolated('mlab1')]).toEqual([true, false])
    expect(net.log.at(-1)).toMatchObject({
      call: 'RTM_NEWLINK',
      args: 'dev "mlab0" type bridge_slave isolated on',
      errno: null,
    })
  })

  test('links are read as ip reads them', async () => {
    const [there, other] = [await hold(flag), await hold(flag)]
    there.run('ip', 'link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'two')
    there.run('ip', 'link', 'add', 'sw0', 'type', 'bridge')
    there.run('ip', 'link', 'set', 'one', 'master', 'sw0', 'up')
    there.run('ip', 'link', 'set', 'two', 'up', 'alias', 'the other end')
    const net = await connect(there.pid)
    net.addVeth('three', 'far', { pid: other.pid })
    await expect.poll(() => net.link('one').running && net.link('two').running).toBe(true) // linkwatch takes its time
    const expected = there.ip('-s', 'link').map(link => ({
      index: link.ifindex,
      name: link.ifname,
      up: link.flags.includes('UP'),
      running: link.flags.includes('UP') && !link.flags.includes('NO-CARRIER'),
      mtu: link.mtu,
      mac: link.address,
      alias: link.ifalias ?? null,
      kind: link.linkinfo?.info_kind ?? null,
      master: link.master ? there.ip('link', 'show', link.master)[0]!.ifindex : null,
      peerIndex: link.link_index ?? (link.link && there.ip('link', 'show', link.link)[0]!.ifindex) ?? null,
      linkNetnsId: link.link_netnsid ?? null,
    }))
    const links = net.links()
    expect(links.map(({ stats: _, ...link }) => link)).toEqual(expected)
    expect(net.link('two')).toMatchObject(expected.find(link => link.name === 'two')!)
    expect(net.link('three').peerIndex).toBe(other.ip('link', 'show', 'far')[0]!.ifindex)
  })

  test('packets and bytes are counted', async () => {
    const there = await hold(flag)
    const net = await connect(there.pid)
    net.setUp('lo')
    const before = net.link('lo').stats
    const send = `const s = require('node:dgram').createSocket('udp4'); s.send('hello', 9, '127.0.0.1', () => s.close())`
    there.run(process.execPath, '-e', send)
    const after = net.link('lo').stats
    expect(after.txPackets).toBeGreaterThan(before.txPackets)
    const { rx, tx } = there.ip('-s', 'link', 'show', 'lo')[0]!.stats64
    expect(after).toEqual({
      rxPackets: rx.packets,
      txPackets: tx.packets,
      rxBytes: rx.bytes,
      txBytes: tx.bytes,
    })
  })

  test('addresses and routes are made, read and deleted', async () => {
    const there = await hold(flag)
    const net = await connect(there.pid)
    net.addVeth('eth0', 'end')
    net.addAddress('eth0', '10.1.2.3/24')
    net.addAddress('eth0', 'fd00::1:2/64')
    net.setUp('eth0')
    net.setUp('end')
    net.addRoute({ to: 'default', via: '10.1.2.1', dev: 'eth0' })
    net.addRoute({ to: '10.9.0.0/16', dev: 'eth0' })
    net.addRoute({ to: '10.8.0.0/16', via: '10.1.2.7' })
    net.addRoute({ to: 'fd09::/32', via: 'fd00::9' })

    const addresses = there
      .ip('address')
      .flatMap(link =>
        link.addr_info.map((info: any) => ({ dev: link.ifname, address: `${info.local}/${info.prefixlen}` })),
      )
    expect(addresses).toContainEqual({ dev: 'eth0', address: '10.1.2.3/24' })
    expect(addresses).toContainEqual({ dev: 'eth0', address: 'fd00::1:2/64' })
    expect(net.addresses().sort(byText)).toEqual(addresses.sort(byText))

    const routes = [...there.ip('route'), ...there.ip('-6', 'route')].map(({ dst, gateway, dev }) => ({
      to: dst,
      ...(gateway && { via: gateway }),
      dev,
    }))
    expect(routes).toContainEqual({ to: 'default', via: '10.1.2.1', dev: 'eth0' })
    expect(routes).toContainEqual({ to: '10.9.0.0/16', dev: 'eth0' })
    expect(routes).toContainEqual({ to: '10.8.0.0/16', via: '10.1.2.7', dev: 'eth0' })
    expect(routes).toContainEqual({ to: 'fd09::/32', via: 'fd00::9', dev: 'eth0' })
    expect(net.routes().sort(byText)).toEqual(routes.sort(byText))
    expect(there.ip('route').find(route => route.dst === '10.9.0.0/16')!.scope).toBe('link')

    net.delRoute({ to: '0.0.0.0/0' })
    net.delRoute({ to: '10.9.0.0/16', dev: 'eth0' })
    const left = there.ip('route').map(route => route.dst)
    expect(left.sort()).toEqual(['10.1.2.0/24', '10.8.0.0/16'])
  })

  test('links go to other namespaces, by process and by descriptor', async () => {
    const [here, there] = [await hold(flag), await hold(flag)]
    const net = await connect(here.pid)
    net.addVeth('mlab0', 'eth0', { pid: there.pid })
    const netns = openSync(`/proc/${there.pid}/ns/net`, 'r')
    try {
      net.addVeth('mlab1', 'eth1', { fd: netns })
      expect(here.names()).toEqual(['lo', 'mlab0', 'mlab1'])
      expect(there.names()).toEqual(['eth0', 'eth1', 'lo'])
      net.moveTo('mlab0', { fd: netns })
      net.moveTo('mlab1', { pid: there.pid })
      expect(here.names()).toEqual(['lo'])
      expect(there.names()).toEqual(['eth0', 'eth1', 'lo', 'mlab0', 'mlab1'])
    } finally {
      closeSync(netns)
    }
  })

  test('an answer of many datagrams is read to its end', async () => {
    const there = await hold(flag)
    const net = await connect(there.pid)
    for (let i = 0; i < 60; i++) net.addVeth(`a${i}`, `b${i}`)
    const links = net.links()
    expect(links).toHaveLength(121)
    expect(links.map(link => link.name)).toEqual(there.ip('link').map(link => link.ifname))
  })

  test('refusals say in the words of the kernel why', async () => {
    const there = await hold(flag)
    const net = await connect(there.pid)
    net.addVeth('eth0', 'end')
    net.addAddress('eth0', '10.1.2.3/24')

    const twice = refusal(() => net.addVeth('mlab0', 'eth0'))
    expect(twice.message).toMatch('RTM_NEWLINK(veth "mlab0" peer "eth0") = -1 EEXIST (file already exists)')
    expect(twice.diagnosis?.cause).toMatch('a link of that name')

    const mtu = refusal(() => net.setMtu('eth0', 70_000))
    expect(mtu.extendedAck).toBe('mtu greater than device maximum')
    expect(mtu.message).toBe(
      'RTM_SETLINK(dev "eth0" mtu 70000) = -1 EINVAL (invalid argument): mtu greater than device maximum',
    )

    const attributes = { IFLA_IFNAME: 'x0', IFLA_LINKINFO: { IFLA_INFO_KIND: 'mlabx' } }
    const kind = refusal(() =>
      net.request(messages.RTM_NEWLINK, 'mlabx "x0"', { attributes }, NLM_F_CREATE | NLM_F_EXCL),
    )
    expect(kind).toMatchObject({ code: 'EOPNOTSUPP', extendedAck: 'Unknown device type' })

    const name = refusal(() => net.addBridge('a-name-of-17-byte'))
    expect(name).toMatchObject({ code: 'ERANGE' })
    expect(name.extendedAck).toMatch('(IFLA_IFNAME)') // the attribute that the ack's offset points to
    expect(name.diagnosis?.cause).toMatch('15 bytes')

    expect(refusal(() => net.setUp('nope'))).toMatchObject({ call: 'RTM_SETLINK', code: 'ENODEV' })
    expect(refusal(() => net.delete('nope')).diagnosis?.cause).toMatch('no link of that name')
    expect(refusal(() => net.setMaster('eth0', 'end')).diagnosis?.remedy).toMatch('the link comes first')
    expect(refusal(() => net.addAddress('nope', '10.0.0.1/8')).code).toBe('ENODEV')
    expect(refusal(() => net.moveTo('eth0', { pid: 2 ** 31 - 1 })).code).toBe('ESRCH')
    expect(refusal(() => net.addRoute({ to: '10.9.0.0/16', dev: 'eth0' })).code).toBe('ENETDOWN')
    expect(refusal(() => net.addRoute({ to: 'default', via: '10.7.7.7' })).code).toBe('ENETUNREACH')
    expect(refusal(() => net.addRoute({ to: '10.9.0.0/16' })).diagnosis?.cause).toMatch('needs a gateway')
    expect(refusal(() => net.delRoute({ to: '10.9.0.0/16' })).diagnosis?.cause).toMatch('no such route')
    expect(there.names()).toEqual(['end', 'eth0', 'lo'])
  })

  test('the extended ack of a duplicate address is the text that ip prints', async () => {
    const there = await hold(flag)
    const net = await connect(there.pid)
    net.addVeth('eth0', 'end')
    net.addAddress('eth0', '10.1.2.3/24')
    const ours = refusal(() => net.addAddress('eth0', '10.1.2.3/24'))
    expect(ours).toMatchObject({ call: 'RTM_NEWADDR', args: '10.1.2.3/24 dev "eth0"', code: 'EEXIST' })
    // kernels before 6.1 have no words for it
    expect(() => there.run('ip', 'address', 'add', '10.1.2.3/24', 'dev', 'eth0')).toThrow(
      ours.extendedAck ?? 'File exists',
    )
  })

  test('what was asked is logged as on a tape', async () => {
    const there = await hold(flag)
    const net = await connect(there.pid)
    net.addVeth('eth0', 'end')
    refusal(() => net.addBridge('eth0'))
    net.addAddress('eth0', '10.1.2.3/24')
    net.links()
    const ns = expect.any(Number) as number
    expect(net.log).toEqual([
      { call: 'RTM_NEWLINK', args: 'veth "eth0" peer "end"', result: 0, errno: null, ns },
      { call: 'RTM_NEWLINK', args: 'bridge "eth0"', result: -1, errno: 'EEXIST', ns },
      { call: 'RTM_GETLINK', args: 'dev "eth0"', result: 1, errno: null, ns },
      { call: 'RTM_NEWADDR', args: '10.1.2.3/24 dev "eth0"', result: 0, errno: null, ns },
      { call: 'RTM_GETLINK', args: 'NLM_F_DUMP', result: 3, errno: null, ns },
    ])
  })

  test('a dummy link is made, or refused where ip is refused too', async () => {
    const [there, judge] = [await hold(flag), await hold(flag)]
    const net = await connect(there.pid)
    judge.run('sh', '-c', 'ip link add d0 type dummy || true') // not every kernel has the driver
    if (judge.names().includes('d0')) {
      net.addDummy('d0')
      expect(there.ip('link', 'show', 'd0')[0]).toMatchObject({ linkinfo: { info_kind: 'dummy' } })
    } else {
      expect(refusal(() => net.addDummy('d0')).diagnosis?.remedy).toMatch('modprobe')
    }
  })

  test('what cannot be an address is refused before the kernel is asked', async () => {
    const net = await connect((await hold(flag)).pid)
    expect(() => net.addAddress('lo', '10.1.2/24')).toThrow(expect.objectContaining({ kind: 'usage' }))
    expect(() => net.addRoute({ to: 'anywhere', dev: 'lo' })).toThrow(
      expect.objectContaining({ kind: 'usage' }),
    )
    expect(() => net.setMac('lo', '02:42')).toThrow(expect.objectContaining({ kind: 'usage' }))
    expect(net.log).toEqual([])
  })
})

test('a socket here reads our own network namespace, and close() closes it', () => {
  const descriptors = () => readdirSync('/proc/self/fd').length
  const before = descriptors()
  const net = openRtnetlink()
  expect(net.link('lo').index).toBe(1)
  expect(descriptors()).toBe(before + 1)
  net.close()
  expect(descriptors()).toBe(before)
})

test('a closed connection does not touch the file that has its descriptor now', () => {
  const net = openRtnetlink()
  net.close()
  const next = openSync('/dev/null', 'r')
  expect(() => net.links()).toThrow(ClosedError)
  expect(() => net.close()).toThrow(ClosedError)
  closeSync(next) // EBADF, had it been closed
})

const byText = (a: object, b: object) => JSON.stringify(a).localeCompare(JSON.stringify(b))

/** What a request is refused with. */
function refusal(request: () => void): NetlinkError {
  try {
    request()
  } catch (error) {
    if (error instanceof NetlinkError) return error
    throw error
  }
  throw new Error('the kernel did not refuse')
}
