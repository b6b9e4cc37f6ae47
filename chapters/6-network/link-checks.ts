import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { namespaceInode } from '../../lib/kernel/procfs.ts'
import type { Link } from '../../lib/kernel/rtnetlink.ts'
import { networkOf } from '../../lib/kernel/subnet.ts'
import {
  ask,
  cableOf,
  defaultRoute,
  eth0,
  find,
  inAndOut,
  ipv4,
  linkNames,
  linksOf,
  packets,
  plain,
  rise,
} from './readings.ts'
import type { Wiring } from './wiring.ts'

/** Checks of what is there: links, addresses, routes, and the three modes. */

const state = (link?: Link) => (link ? `${link.name}, ${link.up ? 'up' : 'down'}` : 'none')

/** The links of a namespace in the words of a prediction. */
export async function linksInside(pid: number): Promise<string> {
  const links = await linksOf(pid)
  if (links.length > 1) return 'lo and eth0'
  return links[0] ? `lo, and it is ${links[0].up ? 'up' : 'down'}` : 'none'
}

export const links = {
  empty: {
    id: 'empty-network',
    claim: 'a new network namespace has one link, `lo`, and that is down',
    async look({ bare, host }) {
      const links = await linksOf(bare)
      return finding(
        links.length === 1 && state(links[0]) === 'lo, down',
        seen(
          `RTM_GETLINK in ${bare}`,
          `${linkNames(host).length} links`,
          links.map(link => state(link)).join(', '),
        ),
        'Likeliest: CLONE_NEWNET is missing, so these are the host’s links; or something has set lo up already.',
      )
    },
  },

  loopback: {
    id: 'loopback-up',
    claim: 'it reaches itself once `lo` is up, and not before',
    async look({ bare, loopback }) {
      const lo = find(await linksOf(bare), 'lo')
      const risen = rise(loopback.before, packets({ pid: bare, link: 'lo' }))
      const { down, up } = loopback
      return finding(
        down.refused === 'ENETUNREACH' &&
          lo?.up === true &&
          up.sent > 0 &&
          risen.in >= 2 * up.sent &&
          risen.in === risen.out,
        [
          seen('sendto 127.0.0.1, before', null, down.refused ?? 'no error'),
          seen(`RTM_GETLINK in ${bare}`, null, state(lo)),
          seen(`/proc/${bare}/net/dev (lo)`, null, inAndOut(risen)),
        ],
        'Likeliest: nobody has set lo up in this namespace; every runtime has to do it.',
      )
    },
  },

  address: {
    id: 'address',
    claim: '`eth0` has an address of its own in the bridge’s network',
    async look({ pid, bridge, host }) {
      const own = ipv4(await ask(host, net => net.addresses()), bridge)
      const container = await eth0(pid)
      return finding(
        ![own, container].includes('none') && networkOf(own) === networkOf(container) && own !== container,
        seen(`RTM_GETADDR (${bridge}, eth0)`, own, container),
        container === 'none'
          ? 'eth0 has no address. Likeliest: it was given to the end that stayed on the host, or before the link was moved (a move takes addresses away).'
          : 'Both must be different addresses of one network. Likeliest: the bridge has none, or the lengths of the prefixes differ.',
      )
    },
  },

  cable: {
    id: 'cable',
    claim: '`eth0` is one end of a veth pair, and the other end is a link of the host; both are up',
    async look({ pid, host }) {
      const { near, far } = await cableOf(pid, host)
      const end = (link?: Link) =>
        link ? `${link.name} is ${link.index}, peer ${link.peerIndex}` : 'no such link'
      return finding(
        near?.kind === 'veth' &&
          far?.kind === 'veth' &&
          far.peerIndex === near.index &&
          near.running &&
          far.running,
        seen('RTM_GETLINK (IFLA_LINK)', end(far), end(near)),
        far
          ? `The host’s end is ${state(far)}, the container’s ${state(near)}. Likeliest: one of them was not set up, and a cable carries only while both are.`
          : 'Likeliest: both ends are in the container, or the pair was never made.',
      )
    },
  },

  bridge: {
    id: 'bridge',
    claim: 'the host’s end is plugged into the bridge',
    async look({ pid, bridge, host }) {
      const { far, outside } = await cableOf(pid, host)
      const master = outside.find(({ index }) => index === far?.master)
      return finding(
        master?.name === bridge && master.kind === 'bridge' && master.up,
        seen(
          `RTM_GETLINK (IFLA_MASTER of ${far?.name})`,
          master ? `${state(master)}, a ${master.kind}` : 'none',
          null,
        ),
        'Likeliest: the link was never given a master (ip link set NAME master BRIDGE), or the bridge was not set up.',
      )
    },
  },

  route: {
    id: 'default-route',
    claim: 'everything else goes to the bridge’s address: the default route',
    async look({ pid, bridge, host }) {
      const gateway = plain(ipv4(await ask(host, net => net.addresses()), bridge))
      const route = defaultRoute(pid)
      const asked = (await ask(pid, net => net.routes())).find(({ to }) => to === 'default')
      return finding(
        gateway !== 'none' && route?.via === gateway && route.link === 'eth0' && asked?.via === gateway,
        [
          seen(
            `/proc/${pid}/net/route`,
            `${bridge} is ${gateway}`,
            route ? `via ${route.via}, ${route.link}` : 'none',
          ),
          seen('RTM_GETROUTE', null, asked ? `default via ${asked.via} dev ${asked.dev}` : 'none'),
        ],
        'Likeliest: the route was added before eth0 was up (the kernel answers ENETUNREACH), or its gateway is not the bridge’s address.',
      )
    },
  },
} satisfies Record<string, Check<Wiring>>

/** One for each mode. */
export const modes: Check<Wiring>[] = (
  [
    ['none', 'a network namespace with nothing but the loopback, which is up'],
    ['host', 'the host’s own network namespace, and so all its links'],
    ['bridge', 'a network namespace with a cable to the bridge'],
  ] as const
).map(mode)

/** A mode, as the namespace's inode and its links show it. */
function mode([name, claim]: readonly ['none' | 'host' | 'bridge', string]): Check<Wiring> {
  const own = { none: ['lo, up'], bridge: ['eth0, up', 'lo, up'], host: undefined }[name]
  return {
    id: `mode-${name}`,
    claim: `${name}: ${claim}`,
    async look({ modes, host, bridge }) {
      const pid = modes[name]
      const [ours, theirs] = [namespaceInode(host, 'net'), namespaceInode(pid, 'net')]
      const links = (await linksOf(pid)).map(link => state(link)).sort()
      const shown = own ? links.join(' · ') : `${links.length} links, ${bridge} among them`
      return finding(
        own
          ? ours !== theirs && links.join() === own.join()
          : ours === theirs && links.includes(`${bridge}, up`),
        [
          seen(`/proc/${pid}/ns/net`, ours, theirs),
          seen(`RTM_GETLINK in ${pid}`, `${linkNames(host).length} links`, shown),
        ],
        own
          ? `Expected ${own.join(' · ')} in a namespace of its own. Likeliest: CLONE_NEWNET is missing, or a link was not set up.`
          : 'Likeliest: CLONE_NEWNET was among the clone flags all the same.',
      )
    },
  }
}
