import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { checks } from '../../chapters/6-network/checks.ts'
import { unwired, type Wiring } from '../../chapters/6-network/wiring.ts'
import type { Check, Report, Scene } from '../../lib/guide/step.ts'
import { connect, hold, lacking, type Network, releaseAll } from '../kernel/network.ts'
import { isRoot, left, runMinilab, type UserName, users, userData } from '../support/minilab.ts'

afterEach(releaseAll)

const IDS = [
  ['empty-network', 'loopback-up'],
  ['address', 'cable', 'bridge', 'default-route'],
  ['host-datagrams', 'host-counters'],
  ['two-addresses', 'container-datagrams', 'container-counters', 'neighbour'],
  ['forwarding', 'no-way-back'],
  ['published-port', 'both-ways', 'rule-counter', 'masquerade'],
  ['mode-none', 'mode-host', 'mode-bridge'],
].flat()
const NAT = ['published-port', 'both-ways', 'rule-counter', 'masquerade']

const missing = (command: string, ...args: string[]) => spawnSync(command, args).status !== 0
const noNft = missing('nft', '--version') ? ' (nft is not installed)' : ''
const asRoot = isRoot ? '' : ' (only as root)'

async function document(user: UserName, wrapper: string[] = [], data = userData(user)): Promise<Report> {
  const ran = await runMinilab(['step', '6', '--yes', '--json'], { user, wrapper, data })
  expect(ran.stderr).toBe('')
  const [report] = ran.json()
  expect(ran.status).toBe(report?.ok ? 0 : 1)
  return report!
}

const failed = (report: Report) => report.checks.filter(check => check.ok === false)
const bridgeOf = (report: Report) =>
  report.host.changed.find(line => line.startsWith('+ link mlb-'))?.slice('+ link '.length) ?? ''
const hostLinks = () =>
  (JSON.parse(execFileSync('ip', ['-j', 'link'], { encoding: 'utf8' })) as { ifname: string }[]).map(
    link => link.ifname,
  )

describe.skipIf(lacking || noNft).each(users)(`as %s${lacking || noNft}`, user => {
  test('every check holds, and nothing is left', async () => {
    const data = userData(user)
    const report = await document(user, [], data)
    expect(failed(report)).toEqual([])
    expect(report.checks.map(({ id }) => id)).toEqual(IDS)
    expect(report).toMatchObject({ step: 6, mode: user === 'root' ? 'root' : 'rootless', limited: [] })
    const counters = report.checks.find(({ id }) => id === 'host-counters')?.evidence
    for (const { host, container } of counters ?? [])
      expect(host ?? container).toMatch(/^\+\d+ in, \+\d+ out, for 20 each way$/)
    expect(counters).toHaveLength(2)
    expect(left(report)).toEqual([])
    expect(hostLinks()).not.toContain(bridgeOf(report))
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
  })

  test('the document has the requests and calls by which it came about, in their order', async () => {
    const report = await document(user)
    expect(report.tape.at(-1)).toMatchObject({ call: 'execve', errno: null })
    const made = (purpose: string) =>
      report.launches
        .find(launch => launch.purpose === purpose)
        ?.tape.map(({ call, args }) => `${call} ${args}`)
    const bridge = bridgeOf(report)
    const cable = bridge.replace('mlb-', 'ml-') + '-1'
    expect(made('netlink requests on the host')).toEqual([
      `RTM_NEWLINK bridge "${bridge}"`,
      expect.stringMatching(new RegExp(`^RTM_NEWADDR \\S+\\.1/24 dev "${bridge}"$`)),
      `RTM_SETLINK dev "${bridge}" up`,
      expect.stringMatching(new RegExp(`^RTM_NEWLINK veth "${cable}" peer "eth0" netns \\d+$`)),
      expect.stringMatching(new RegExp(`^RTM_SETLINK dev "${cable}" alias "\\S+\\.2"$`)),
      `RTM_SETLINK dev "${cable}" master "${bridge}"`,
      `RTM_SETLINK dev "${cable}" up`,
    ])
    expect(made("netlink requests in the container's network namespace")).toEqual([
      'RTM_SETLINK dev "lo" up',
      expect.stringMatching(/^RTM_NEWADDR \S+\.2\/24 dev "eth0"$/),
      'RTM_SETLINK dev "eth0" up',
      expect.stringMatching(/^RTM_NEWROUTE default via \S+\.1$/),
    ])
    const connection = report.launches.find(({ purpose }) =>
      purpose.startsWith('the machine outside connects'),
    )
    expect(connection?.tape.find(({ call }) => call === 'connect')).toMatchObject({ result: 0, errno: null })
  })
})

describe.skipIf(asRoot || lacking || noNft)(
  `in a network namespace that we can look into${asRoot || lacking || noNft}`,
  () => {
    const within = (net: Network) => ['nsenter', '-t', String(net.pid), '-n']
    /** Everything that a step could leave there. */
    const state = (net: Network) => ({
      links: net.names(),
      rules: net.run('nft', 'list', 'ruleset'),
      routes: net.ip('route'),
      forwarding: net.run('sysctl', '-n', 'net.ipv4.ip_forward', 'net.ipv4.conf.lo.forwarding'),
    })

    test('links, rules, routes and settings are afterwards what they were', async () => {
      const net = await hold('-n')
      const before = state(net)
      const report = await document('root', within(net))
      expect(failed(report)).toEqual([])
      expect(state(net)).toEqual(before)
    })

    test('two at once do not meet', async () => {
      const net = await hold('-n')
      const reports = await Promise.all([document('root', within(net)), document('root', within(net))])
      expect(reports.flatMap(failed)).toEqual([])
      expect(reports.flatMap(left)).toEqual([])
      const gateways = reports.map(
        report => report.checks.find(({ id }) => id === 'address')?.evidence[0]?.host,
      )
      expect(new Set(gateways).size).toBe(2)
      expect(net.names()).toEqual(['lo'])
    })

    test('what a killed step left, the next command takes back', async () => {
      const net = await hold('-n')
      const before = state(net)
      const data = userData('root')
      const entry = join(import.meta.dirname, '../../bin.mjs')
      const [command = '', ...args] = [
        ...within(net),
        process.execPath,
        entry,
        'step',
        '6',
        '--yes',
        '--keep',
      ]
      const child = spawn(command, args, {
        stdio: ['pipe', 'ignore', 'pipe'],
        env: { ...process.env, MINILAB_DATA: data },
      })
      onTestFinished(() => void child.kill('SIGKILL'))
      for await (const text of child.stderr) if (String(text).includes('Enter ends it')) break
      child.kill('SIGKILL')
      await once(child, 'exit')
      expect(net.run('nft', 'list', 'ruleset')).toContain('dnat to')
      expect(net.names().some(name => name.startsWith('mlb-'))).toBe(true)

      const next = await runMinilab(['step', '1', '--json'], { user: 'root', data, wrapper: within(net) })
      expect(next.status).toBe(0)
      expect(state(net)).toEqual(before)
    })

    test('a firewall that drops what it forwards is named, and the rest runs', async () => {
      const net = await hold('-n')
      net.run(
        'nft',
        'add table ip guard; add chain ip guard forward { type filter hook forward priority 0; policy drop; }',
      )
      const before = state(net)
      const report = await document('root', within(net))
      expect(failed(report).map(({ id }) => id)).toEqual(
        expect.arrayContaining(['no-way-back', ...NAT.slice(0, 2)]),
      )
      expect(failed(report).map(({ diagnosis }) => diagnosis)).toEqual(
        expect.arrayContaining([expect.stringContaining('firewall drops forwarded packets')]),
      )
      const held = report.checks.filter(check => check.ok).map(({ id }) => id)
      expect(held).toEqual(
        expect.arrayContaining(['cable', 'host-datagrams', 'host-counters', 'mode-bridge']),
      )
      expect(state(net)).toEqual(before)
    })

    const noIptables = missing('iptables', '--version') ? ' (iptables is not installed)' : ''
    test.skipIf(noIptables)(
      `with iptables alone, and a firewall that drops by default${noIptables}`,
      async () => {
        const hide = `
      mount --bind /dev/null "$(command -v nft)"
      iptables -P FORWARD DROP && iptables -P INPUT DROP
      iptables -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
      iptables -S >&2 && "$@" && iptables -S >&2 && iptables -t nat -S >&2`
        const wrapper = ['unshare', '-mn', 'sh', '-ec', hide, 'sh']
        const ran = await runMinilab(['step', '6', '--json'], { user: 'root', wrapper })
        const [report] = ran.json()
        expect(report && failed(report)).toEqual([])
        expect(report).toMatchObject({ ok: true, limited: [], host: { left: [] } })
        const rules = ran.stderr.split('\n').filter(line => line.startsWith('-A'))
        expect(rules).toHaveLength(2) // the one from before, twice
        expect(rules[1]).toBe(rules[0])
      },
    )

    test('without nft and iptables one stage says so, and the rest runs', async () => {
      const hide =
        'for d in /usr/local/sbin /usr/sbin /sbin; do mount -t tmpfs none $d; done; PATH=/nowhere exec "$@"'
      const report = await document('root', ['unshare', '-mn', 'sh', '-c', hide, 'sh'])
      expect(report.ok).toBe(true)
      expect(report.limited).toEqual([
        {
          stage: 'A published port, and a borrowed address',
          reason: expect.stringContaining('neither nft nor iptables'),
          remedy: 'sudo apt-get install nftables',
        },
      ])
      const without = report.checks.filter(check => check.ok === null)
      expect(without.map(({ id }) => id)).toEqual(NAT)
      expect(report.checks.filter(check => check.ok)).toHaveLength(IDS.length - NAT.length)
      expect(left(report)).toEqual([])
    })
  },
)

// What a container engine does, done by iproute2's messages and not by our network part: the checks must hold there too.
describe.skipIf(lacking)(`the checks, on namespaces wired by hand${lacking}`, () => {
  const flag = isRoot ? '-n' : '-Urn'
  const shell = { run: () => Promise.reject(new Error('no check of this chapter asks the shell')) }

  /** A host with a bridge, and two containers on it. */
  async function wire() {
    const [host, one, two, bare] = [await hold(flag), await hold(flag), await hold(flag), await hold(flag)]
    const net = { host: await connect(host.pid), one: await connect(one.pid), two: await connect(two.pid) }
    net.host.addBridge('br0')
    net.host.addAddress('br0', '10.77.0.1/24')
    net.host.setUp('br0')
    for (const [name, inside, last] of [
      ['one', one, 2],
      ['two', two, 3],
    ] as const) {
      net.host.addVeth(name, 'eth0', { pid: inside.pid })
      net.host.setMaster(name, 'br0')
      net.host.setUp(name)
      net[name].setUp('lo')
      net[name].addAddress('eth0', `10.77.0.${last}/24`)
      net[name].setUp('eth0')
      net[name].addRoute({ to: 'default', via: '10.77.0.1' })
    }
    const scene: Scene & Wiring = {
      ...unwired(),
      pid: one.pid,
      shell,
      host: host.pid,
      bridge: 'br0',
      bare: bare.pid,
      second: two.pid,
      modes: { none: bare.pid, host: host.pid, bridge: one.pid },
    }
    return { host, one, two, bare, net, scene }
  }

  const look = async (check: Check<Wiring>, scene: Scene & Wiring) => check.look(scene)

  test('hold where it is done right', async () => {
    const { scene, net, one, bare } = await wire()
    await expect.poll(() => net.host.link('one').running).toBe(true) // linkwatch takes its time
    for (const check of [
      checks.empty,
      checks.address,
      checks.cable,
      checks.bridge,
      checks.route,
      checks.apart,
    ])
      expect(await look(check, scene), check.id).toMatchObject({ ok: true })
    ping(one, '10.77.0.3')
    expect(await look(checks.neighbour, scene)).toMatchObject({ ok: true })
    bare.run('ip', 'link', 'set', 'lo', 'up')
    for (const check of checks.modes) expect(await look(check, scene), check.id).toMatchObject({ ok: true })
  })

  /** Any datagram makes the kernel ask for the hardware address. */
  const ping = (from: Network, to: string) => {
    const send = `const s = require('node:dgram').createSocket('udp4'); s.send('x', 9, '${to}', () => s.close())`
    from.run(process.execPath, '-e', send)
  }
})
