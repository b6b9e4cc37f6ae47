import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import type { MountView } from '../../lib/look/snapshot-shape.ts'
import { isRoot, runMinilab, userFolder, users } from '../support/minilab.ts'
import {
  all,
  children,
  container,
  json,
  known,
  looked,
  output,
  BUSY,
  sleeper,
  KINDS,
  THREE,
} from './support.ts'

describe.each(users)('what look reads of a container of %s', user => {
  test('processes: the tree, with both pids and uids, as ps has them outside and inside', async () => {
    const { pid, name, data } = await container([], THREE, { user })
    await expect.poll(() => children(pid), BUSY).toHaveLength(2)
    const { processes } = await looked(name, { user, data })
    const seen = all(processes.roots)
    expect(processes).toMatchObject({ scope: 'namespace', why: null, count: 3 })
    const namespace = output('ps', '-o', 'pidns=', '-p', String(pid)).trim()
    const rows = output('ps', '-ewwo', 'pidns=,pid=,ppid=,uid=,nlwp=,args=')
      .split('\n')
      .map(line => /^\s*(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+) (.*)$/.exec(line)?.slice(1) ?? [])
      .filter(([of]) => of === namespace)
    expect(seen.map(p => [p.pid, p.parent, p.uid, p.threads, p.command].join(' ')).sort()).toEqual(
      rows.map(([, ...row]) => row.join(' ')).sort(),
    )
    expect(seen.map(({ uidInside }) => uidInside)).toEqual([0, 0, 0])
    const inside = await runMinilab(['exec', name, 'ps', '-o', 'pid,args'], { user, data })
    for (const { inside: number, command } of seen)
      expect(inside.stdout.split('\n').map(line => line.trim().replace(/\s+/, ' '))).toContain(
        `${number} ${command}`,
      )
  })

  test('what exec sends into a container belongs to it, though its parent is outside', async () => {
    const { pid, name, data } = await container([], 'sleep 1000', { user })
    const sent = runMinilab(['exec', name, 'sleep', '1003'], { user, data })
    const namespace = output('ps', '-o', 'pidns=', '-p', String(pid)).trim()
    const inside = () =>
      output('ps', '-ewwo', 'pidns=,pid=,args=')
        .split('\n')
        .map(line => line.trim().split(/\s+/))
        .filter(([of, , ...args]) => of === namespace && args.join(' ') === 'sleep 1003')
    await expect.poll(inside, BUSY).toHaveLength(1)
    const { processes } = await looked(name, { user, data })
    expect(processes.roots.map(root => [root.pid, root.command])).toEqual([
      [pid, 'sleep 1000'],
      [Number(inside()[0]![1]), 'sleep 1003'],
    ])
    await runMinilab(['kill', name], { user, data })
    await sent
  })

  test('namespaces: the inodes that lsns tells, and who else is in one', async () => {
    const { pid, name, data } = await container([], 'sleep 1000', { user })
    const other = sleeper('nsenter', '--target', String(pid), '--user', '--net', 'sleep', '1000')
    await expect.poll(() => readFileSync(`/proc/${other}/comm`, 'utf8'), BUSY).toBe('sleep\n')
    const { namespaces } = await looked(name, { user, data })
    // lsns fails where any process of the machine ends while it reads
    const { namespaces: listed } = (await vi.waitFor(() =>
      json('lsns', '--json', '--task', String(pid)),
    )) as {
      namespaces: { ns: number; type: string }[]
    }
    expect(namespaces.map(({ kind, inode }) => [kind, inode])).toEqual(
      KINDS.map(kind => [kind, Number(listed.find(({ type }) => type === kind)?.ns)]),
    )
    expect(namespaces.filter(({ own }) => own === true).map(({ kind }) => kind)).toEqual(
      KINDS.filter(
        kind => output('readlink', `/proc/${pid}/ns/${kind}`) !== output('readlink', `/proc/self/ns/${kind}`),
      ),
    )
    expect(namespaces.find(({ kind }) => kind === 'uts')?.others).toEqual([])
    expect(namespaces.find(({ kind }) => kind === 'net')?.others).toContainEqual({
      pid: other,
      name: 'sleep',
    })
  })

  test("mounts: the tree that findmnt reads, and the overlay's layers with what was written and deleted", async () => {
    // a comma, a colon and a backslash have to be found again in the options of the mount
    const data = join(userFolder(user), 'a,b:c\\d e')
    const script = 'echo hello >/root/new; rm /etc/passwd; echo x >>/etc/group; mkdir -p /srv/x; sleep 1000'
    const { pid, name, id } = await container([], script, { user, data })
    const upper = join(data, 'containers', id, 'upper')
    await expect.poll(() => readdirSync(upper), BUSY).toContain('srv')
    const { mounts } = await looked(name, { user, data })
    const { roots, overlays, count, shared } = known(mounts)
    const list = (views: MountView[]): string[] =>
      views.flatMap(view => [
        `${view.id} ${view.target} ${view.type}`,
        ...view.children.map(child => `${child.id} on ${view.id}`),
        ...list(view.children),
      ])
    const { filesystems } = json(
      'findmnt',
      '--json',
      '--list',
      '-N',
      String(pid),
      '-o',
      'ID,PARENT,TARGET,FSTYPE',
    ) as {
      filesystems: { id: number; parent: number; target: string; fstype: string }[]
    }
    const ids = new Set(filesystems.map(mount => mount.id))
    expect(list(roots).sort()).toEqual(
      filesystems
        .flatMap(({ id: own, parent, target, fstype }) => [
          `${own} ${target} ${fstype}`,
          ...(ids.has(parent) && parent !== own ? [`${own} on ${parent}`] : []),
        ])
        .sort(),
    )
    expect({ count, shared }).toEqual({ count: filesystems.length, shared: false })
    const [overlay] = overlays
    expect(overlay).toMatchObject({ target: '/', work: join(data, 'containers', id, 'work') })
    expect(overlay?.upper?.path).toBe(upper)
    for (const { path } of overlay!.lower) expect(readdirSync(path)).toContain('etc')
    const content = known(overlay!.upper!.content!)
    const found = output('find', upper, '-mindepth', '1', '-printf', '%y %s /%P\n').trim().split('\n')
    expect(content).toMatchObject({
      entries: found.length,
      bytes: 6 + statSync(join(upper, 'etc/group')).size,
      whiteouts: found.filter(line => line.startsWith('c')).length,
      more: false,
    })
    expect(content.some).toContainEqual({ path: '/root/new', what: 'new' })
    expect(content.some).toContainEqual({ path: '/etc/group', what: 'copied up' })
    expect(content.some).toContainEqual({ path: '/etc/passwd', what: 'whiteout' })
  })

  test('network: links, addresses and routes as ip tells them inside, the cable and bridge as outside', async () => {
    const { pid, name, data } = await container([], 'httpd -f -p 80', { user })
    const inside = ['--target', String(pid), '--user', '--preserve-credentials', '--net', 'ip', '-j', '-s']
    interface Told {
      ifname: string
      ifindex: number
      address: string
      link_index?: number
      master?: string
      addr_info: { local: string; prefixlen: number }[]
      stats64: { rx: { packets: number; bytes: number }; tx: { packets: number; bytes: number } }
    }
    const ask = (...args: string[]) => json('nsenter', ...inside, ...args)
    const before = ask('addr') as Told[]
    const { network } = await looked(name, { user, data })
    const after = ask('addr') as Told[]
    expect(network.own).toBe(true)
    expect(network.links.map(link => [link.name, link.index, link.mac, link.addresses])).toEqual(
      after.map(link => [
        link.ifname,
        link.ifindex,
        link.address,
        link.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
      ]),
    )
    network.links.forEach((link, i) => {
      const [least, most] = [before[i]!.stats64, after[i]!.stats64]
      expect(between(link.rxPackets, least.rx.packets, most.rx.packets)).toBe(true)
      expect(between(link.txBytes, least.tx.bytes, most.tx.bytes)).toBe(true)
    })
    const [route] = ask('route', 'show', 'default') as { gateway: string; dev: string }[]
    expect(network.defaultRoute).toEqual({ via: route!.gateway, dev: route!.dev })

    // outside is the host, or for an ordinary user the sandbox: where the process that looks after it is
    const keeper = output('ps', '-o', 'ppid=', '-p', String(pid)).trim()
    const enter = user === 'root' ? [] : ['--user', '--preserve-credentials']
    const outside = json('nsenter', '--target', keeper, ...enter, '--net', 'ip', '-j', 'addr') as Told[]
    const peer = outside.find(
      link => link.ifindex === after.find(({ ifname }) => ifname === 'eth0')?.link_index,
    )!
    const bridge = outside.find(link => link.ifname === peer.master)!
    expect(network.outside).toMatchObject({
      host: user === 'root',
      cables: [
        {
          inside: 'eth0',
          peer: { name: peer.ifname, mac: peer.address },
          bridge: { name: bridge.ifname, index: bridge.ifindex },
        },
      ],
    })
    expect(network.outside?.cables[0]?.bridge?.addresses).toContain(
      `${bridge.addr_info[0]!.local}/${bridge.addr_info[0]!.prefixlen}`,
    )
  })

  test('rights: capabilities by their names, no_new_privs, seccomp, who its users are', async () => {
    const flags = ['--cap-drop', 'ALL', '--cap-add', 'net_bind_service', '--cap-add', 'kill']
    const { pid, name, data } = await container(flags, 'sleep 1000', { user })
    const { security } = await looked(name, { user, data })
    expect(security).toMatchObject({
      capabilities: ['CAP_KILL', 'CAP_NET_BIND_SERVICE'],
      allCapabilities: false,
      noNewPrivileges: true,
      seccomp: 'filter',
    })
    const map = readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().split(/\s+/).map(Number)
    expect(known(security.uidMap)).toEqual([{ inside: map[0], outside: map[1], count: map[2] }])
  })
})

const between = (value: number, least: number, most: number) => value >= least && value <= most

test.skipIf(!isRoot)(
  'packets that come through the published port are counted (as root: the link can be reached)',
  async () => {
    const { name, data, user, pid } = await container([], 'httpd -f -p 80', { user: 'root' })
    const count = async () =>
      (await looked(name, { user, data })).network.links.find(link => link.name === 'eth0')!
    const first = await count()
    const address = first.addresses.find(text => !text.includes(':'))!.replace(/\/.*/, '')
    await expect
      .poll(
        () => readFileSync(`/proc/${pid}/net/tcp`, 'utf8') + readFileSync(`/proc/${pid}/net/tcp6`, 'utf8'),
        BUSY,
      )
      .toContain(':0050 ')
    const socket = connect(80, address)
    socket.end('GET / HTTP/1.0\r\n\r\n')
    socket.resume()
    await once(socket, 'close')
    const then = await count()
    expect(then.rxPackets).toBeGreaterThan(first.rxPackets)
    expect(then.txPackets).toBeGreaterThan(first.txPackets)
  },
)
