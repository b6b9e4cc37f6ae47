import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { connect, hold, lacking, type Network, releaseAll } from '../kernel/network.ts'
import { isRoot, userFolder, userData } from '../support/minilab.ts'

// What is made on the host's side, in a network namespace that stands for the host; iproute2 and nft judge.
afterEach(releaseAll)

const flag = isRoot ? '-n' : '-Urn'
const library = join(import.meta.dirname, '../../lib')
const missing = (command: string) =>
  spawnSync(command, ['--version']).error ? ` (${command} is not installed)` : ''

/** Runs a module in a namespace, with a ledger in `data`; returns what it logged. Errors come as their names and texts. */
function inside(net: Network, data: string, code: string): unknown {
  const script = `
    import { openRtnetlink } from '${library}/kernel/netlink/rtnetlink.ts'
    import { Ledger } from '${library}/container/ledger/ledger.ts'
    import { freeNetwork } from '${library}/container/parts/network.ts'
    import { forwardFrom, letThrough } from '${library}/container/net/firewall.ts'
    import { withNetworkLock } from '${library}/container/ledger/lock.ts'
    import { mayFilterForwarded } from '${library}/kernel/netlink/netfilter.ts'
    import { addNat } from '${library}/container/net/nat.ts'
    import { execFileSync, spawnSync } from 'node:child_process'
    const ledger = new Ledger(${JSON.stringify(data)})
    const run = (...args) => execFileSync(args[0], args.slice(1), { encoding: 'utf8' })
    const result = await (async () => { ${code} })().catch(error => ({ error: error.kind ?? error.name, message: error.message }))
    console.log(JSON.stringify(result))`
  return JSON.parse(net.run(process.execPath, '--input-type=module', '-e', script))
}

describe.skipIf(lacking)(`the host's side${lacking}`, () => {
  test('a bridge gets a network to no part of which the host has a route', async () => {
    const net = await hold(flag)
    net.run('ip', 'link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1')
    for (const link of ['v0', 'v1']) net.run('ip', 'link', 'set', link, 'up')
    const free = `return freeNetwork(openRtnetlink(), ['10.44.0.0/24', '10.45.0.0/24', '192.168.144.0/24'])`
    const data = userData()
    expect(inside(net, data, free)).toBe('10.44.0.0/24')
    net.run('ip', 'route', 'add', '10.44.0.128/25', 'dev', 'v0')
    expect(inside(net, data, free)).toBe('10.45.0.0/24')
    net.run('ip', 'route', 'add', '10.0.0.0/8', 'dev', 'v0')
    expect(inside(net, data, free)).toBe('192.168.144.0/24')
    net.run('ip', 'route', 'add', '192.0.0.0/4', 'dev', 'v0')
    expect(inside(net, data, free)).toMatchObject({ error: 'limited' })
  })

  test('a bridge stays while somebody is plugged in', async () => {
    const net = await hold(flag)
    const rtnetlink = await connect(net.pid)
    rtnetlink.addBridge('mlb-test')
    rtnetlink.addVeth('other', 'peer')
    rtnetlink.setMaster('other', 'mlb-test')
    const settle = `
      const { ino } = (await import('node:fs')).statSync('/proc/self/ns/net')
      for (const name of ['mlb-test', 'mlb-none']) ledger.add({ kind: 'link', name, netns: ino })
      return ledger.settle()`
    const data = userData()
    expect(inside(net, data, settle)).toEqual([])
    expect(net.names()).toContain('mlb-test')
    rtnetlink.delete('other')
    expect(inside(net, data, settle)).toEqual(['link mlb-test'])
    expect(net.names()).toEqual(['lo'])
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
  })

  test('forwarding is switched for one link, and switched back', async () => {
    const net = await hold(flag)
    const [during] = inside(
      net,
      userFolder(),
      `forwardFrom(ledger, 'lo')
      const during = run('sysctl', '-n', 'net.ipv4.conf.lo.forwarding', 'net.ipv4.ip_forward').trim()
      await ledger.settle()
      return [during]`,
    ) as string[]
    expect(during).toBe('1\n0')
    expect(net.run('sysctl', '-n', 'net.ipv4.conf.lo.forwarding').trim()).toBe('0')
  })

  test('one command at a time changes the links of a namespace', async () => {
    const net = await hold(flag)
    const lock = isRoot ? '/run/minilab.lock' : '/proc/self/ns/net'
    const during = inside(
      net,
      userFolder(),
      `return withNetworkLock(() => spawnSync('flock', ['-n', '${lock}', 'true']).status)`,
    )
    expect(during).toBe(1)
    expect(net.run('flock', '-w', '10', lock, 'echo', 'free').trim()).toBe('free')
    // what everybody may open, everybody can hold
    if (isRoot) expect(statSync(lock)).toMatchObject({ uid: 0, mode: 0o100600 })
  })

  const noNft = missing('nft')
  test.skipIf(noNft)(`rules of nft are a table of their own${noNft}`, async () => {
    const net = await hold(flag)
    const nat = `{
      publish: [{ at: { address: '198.51.100.1', port: 8080 }, to: { address: '10.44.0.2', port: 80 } }],
      masquerade: [{ from: '10.44.0.0/24', out: 'lo' }],
    }`
    const data = userData()
    const [listed, removed] = inside(
      net,
      data,
      `const { list } = addNat(ledger, 'mlb-test', ${nat})
      return [run(...list), await ledger.settle()]`,
    ) as [string, string[]]
    expect(listed).toMatch(
      /ip daddr 198\.51\.100\.1 tcp dport 8080 counter packets 0 bytes 0 dnat to 10\.44\.0\.2:80/,
    )
    expect(listed).toMatch(/ip saddr 10\.44\.0\.0\/24 oifname "lo" counter packets 0 bytes 0 masquerade/)
    expect(removed).toEqual(['rules: table ip mlb-test'])
    expect(net.run('nft', 'list', 'ruleset')).toBe('')

    // what the tool refuses is a limit, and nothing to take back
    const refused = `return addNat(ledger, 'mlb test', ${nat})`
    expect(inside(net, data, refused)).toMatchObject({
      error: 'limited',
      message: expect.stringMatching(/Error/),
    })
    expect(inside(net, data, `try { ${refused} } catch { return ledger.settle() }`)).toEqual([])
  })

  const noIptables = missing('iptables') || (isRoot ? '' : ' (only as root)')
  test.skipIf(noIptables)(
    `a firewall that drops what it forwards lets a container through${noIptables}`,
    async () => {
      const net = await hold(flag)
      net.run('iptables', '-P', 'FORWARD', 'DROP')
      const before = net.run('iptables', '-S')
      const during = inside(
        net,
        userFolder(),
        `letThrough(ledger, 'mlb-test', '10.44.0.2')
      const during = run('iptables', '-S', 'FORWARD')
      await ledger.settle()
      return during`,
      )
      expect(during).toContain('-A FORWARD -s 10.44.0.2/32 -i mlb-test -j ACCEPT')
      expect(during).toContain('-A FORWARD -d 10.44.0.2/32 -o mlb-test -j ACCEPT')
      expect(net.run('iptables', '-S')).toBe(before)
    },
  )

  test.skipIf(noIptables).for(['iptables', 'iptables-legacy'])(
    `%s is started only where its table filter has a chain FORWARD${noIptables}`,
    async (program, context) => {
      context.skip(missing(program) !== '', `${program} is not installed`)
      const net = await hold(flag)
      const asked = () => inside(net, userFolder(), 'return mayFilterForwarded()')
      expect(asked()).toBe(false)
      net.run(program, '-t', 'nat', '-A', 'POSTROUTING', '-j', 'ACCEPT')
      expect(asked()).toBe(false)
      net.run(program, '-P', 'FORWARD', 'DROP')
      expect(asked()).toBe(true)
    },
  )
})
