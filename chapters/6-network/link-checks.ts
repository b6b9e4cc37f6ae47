import { setTimeout } from 'node:timers/promises'
import { seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { namespaceInode } from '../../lib/kernel/process/procfs.ts'
import type { Link } from '../../lib/kernel/netlink/link.ts'
import { networkOf } from '../../lib/kernel/netlink/subnet.ts'
import { cableFault, fault, judged, routeFault, sharing } from './fault.ts'
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
import { counted } from '../../lib/guide/text.ts'

/** Checks of what exists: interfaces, addresses, routes, and the three modes. */

const state = (link?: Link) => (link ? `${link.name}, ${link.up ? 'up' : 'down'}` : 'none')

const LOOKS = 300

/**
 * The cable once it has a carrier, or as it is after some seconds. A work queue tells one end that the other went up
 * (net/core/link_watch.c), at most once a second if both have the same index, each in its namespace. And each namespace reports
 * only its own changes, so there is no single event to wait for.
 */
async function carrying(pid: number, host: number): ReturnType<typeof cableOf> {
  for (let looks = LOOKS; ; looks--) {
    const cable = await cableOf(pid, host)
    const { near, far } = cable
    const isDown = !near?.up || far?.up === false
    if (isDown || (near.running && far?.running) || looks === 0) return cable
    await setTimeout(10)
  }
}

/** The interfaces of a namespace in the words of a prediction. */
export async function linksInside(pid: number): Promise<string> {
  const links = await linksOf(pid)
  if (links.length > 1) return 'lo and eth0'
  return links[0] ? `lo, and it is ${links[0].up ? 'up' : 'down'}` : 'none'
}

export const links = {
  empty: {
    id: 'empty-network',
    claim: 'a new network namespace has one interface, `lo`, and it is down',
    async look({ bare, host }) {
      const links = await linksOf(bare)
      return judged(
        links.length === 1 && state(links[0]) === 'lo, down',
        seen(
          `RTM_GETLINK in ${bare}`,
          counted(linkNames(host).length, 'interface'),
          links.map(link => state(link)).join(', '),
        ),
        () => sharing(bare, host),
        find(links, 'lo')?.up
          ? 'lo is up. Likeliest: it was looked at only after it had been set up.'
          : "It already has other interfaces. Likeliest: it is not new, but another container's.",
      )
    },
  },

  loopback: {
    id: 'loopback-up',
    claim: 'it reaches itself once `lo` is up, and not before',
    async look({ bare, host, loopback }) {
      const lo = find(await linksOf(bare), 'lo')
      const risen = rise(loopback.before, packets({ pid: bare, link: 'lo' }))
      const { down, up } = loopback
      return judged(
        down.refused === 'ENETUNREACH' &&
          lo?.up === true &&
          up.sent > 0 &&
          up.answered === up.sent &&
          !up.refused &&
          risen.in >= 2 * up.sent &&
          risen.in === risen.out,
        [
          seen('sendto 127.0.0.1, before', null, down.refused ?? 'no error'),
          ...(up.refused ? [seen('sendto 127.0.0.1, then', null, up.refused)] : []),
          seen(`RTM_GETLINK in ${bare}`, null, state(lo)),
          seen(`/proc/${bare}/net/dev (lo)`, null, inAndOut(risen)),
        ],
        () => sharing(bare, host),
        lo?.up
          ? 'It already went through before. Likeliest: lo had been set up by then.'
          : 'lo is still down. Likeliest: it was never set up in this namespace; every runtime has to do that.',
      )
    },
  },

  address: {
    id: 'address',
    claim: "`eth0` has its own address in the bridge's network",
    async look({ pid, bridge, host }) {
      const own = ipv4(await ask(host, net => net.addresses()), bridge)
      const container = await eth0(pid)
      return judged(
        ![own, container].includes('none') && networkOf(own) === networkOf(container) && own !== container,
        seen(`RTM_GETADDR (${bridge}, eth0)`, own, container),
        () => fault({ pid, bridge, host }),
        'Both have the same address.',
      )
    },
  },

  cable: {
    id: 'cable',
    claim: '`eth0` is one end of a veth pair, and the other end is on the host; both are up',
    async look({ pid, bridge, host }) {
      const { near, far } = await carrying(pid, host)
      const end = (link?: Link) =>
        link ? `${link.name} is ${link.index}, peer ${link.peerIndex}` : 'no such interface'
      return judged(
        near?.kind === 'veth' && far?.kind === 'veth' && near.running && far.running,
        seen('RTM_GETLINK (IFLA_LINK)', end(far), end(near)),
        () => cableFault({ pid, bridge, host }),
        near?.up && far?.up
          ? 'Both ends are up, but the kernel says that one of them has no carrier (IFF_RUNNING).'
          : 'eth0 is not one end of a veth pair between the container and the host.',
      )
    },
  },

  bridge: {
    id: 'bridge',
    claim: "the host's end is attached to the bridge",
    async look({ pid, bridge, host }) {
      const { far, outside } = await cableOf(pid, host)
      const master = outside.find(({ index }) => index === far?.master)
      return judged(
        master?.name === bridge && master.kind === 'bridge' && master.up,
        seen(
          far ? `RTM_GETLINK (IFLA_MASTER of ${far.name})` : 'RTM_GETLINK',
          master ? `${state(master)}, a ${master.kind}` : 'none',
          null,
        ),
        () => fault({ pid, bridge, host }),
        `It is attached to ${master?.name}, which is another bridge.`,
      )
    },
  },

  route: {
    id: 'default-route',
    claim: "everything else goes to the bridge's address: the default route",
    async look({ pid, bridge, host }) {
      const gateway = plain(ipv4(await ask(host, net => net.addresses()), bridge))
      const route = defaultRoute(pid)
      const asked = (await ask(pid, net => net.routes())).find(({ to }) => to === 'default')
      const via = asked?.via ? `via ${asked.via} ` : ''
      return judged(
        gateway !== 'none' && route?.via === gateway && route.link === 'eth0' && asked?.via === gateway,
        [
          seen(
            `/proc/${pid}/net/route`,
            `${bridge} is ${gateway}`,
            route ? `via ${route.via}, ${route.link}` : 'none',
          ),
          seen('RTM_GETROUTE', null, asked ? `default ${via}dev ${asked.dev}` : 'none'),
        ],
        () => routeFault({ pid, bridge, host }),
        'It leads through another interface than eth0.',
      )
    },
  },
} satisfies Record<string, Check<Wiring>>

/** One for each mode. */
export const modes: Check<Wiring>[] = (
  [
    ['none', 'a network namespace with only the loopback interface, which is up'],
    ['host', "the host's own network namespace, and so all its interfaces"],
    ['bridge', 'a network namespace with a cable to the bridge'],
  ] as const
).map(mode)

/** A mode, as the namespace's inode and its interfaces show it. */
function mode([name, claim]: readonly ['none' | 'host' | 'bridge', string]): Check<Wiring> {
  const own = { none: ['lo, up'], bridge: ['eth0, up', 'lo, up'], host: undefined }[name]
  return {
    id: `mode-${name}`,
    claim: `${name}: ${claim}`,
    async look({ modes, host, bridge }) {
      const pid = modes[name]
      const [ours, theirs] = [namespaceInode(host, 'net'), namespaceInode(pid, 'net')]
      const links = (await linksOf(pid)).map(link => state(link)).sort()
      const shown = own ? links.join(' · ') : counted(links.length, 'interface')
      return judged(
        own ? ours !== theirs && links.join() === own.join() : ours === theirs,
        [
          seen(`/proc/${pid}/ns/net`, ours, theirs),
          seen(`RTM_GETLINK in ${pid}`, counted(linkNames(host).length, 'interface'), shown),
        ],
        async () => {
          if (!own)
            return 'It has its own network namespace. Likeliest: CLONE_NEWNET was among the clone flags anyway.'
          if (ours === theirs) return sharing(pid, host)
          if (links.includes('lo, down'))
            return 'lo is down. Likeliest: it was never set up after the namespace was made; every mode needs that.'
          return name === 'bridge' ? fault({ pid, bridge, host }) : undefined
        },
        `There are more interfaces than ${own?.join(' and ')}. Likeliest: it was given a cable anyway.`,
      )
    },
  }
}
