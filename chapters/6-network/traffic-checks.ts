import { seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene } from '../../lib/guide/step.ts'
import { namespaceInode } from '../../lib/kernel/process/procfs.ts'
import { fault, judged } from './fault.ts'
import {
  ask,
  bothEnds,
  cableOf,
  type End,
  eth0,
  find,
  inAndOut,
  linksOf,
  neighbour,
  type Packets,
  plain,
  rise,
  show,
} from './readings.ts'
import type { Wiring } from './wiring.ts'
import { counted } from '../../lib/guide/text.ts'

/** Checks of the traffic through the cables. */

type Way = 'withHost' | 'withSecond'
type Both = Scene & Wiring

/** What keeps a container's packets from the host, or from the other container. */
async function between(way: Way, { pid, second, host, bridge }: Both): Promise<string | undefined> {
  const first = await fault({ pid, host, bridge })
  if (first || way === 'withHost') return first
  const [one, two] = [await eth0(pid), await eth0(second)]
  if (namespaceInode(pid, 'net') === namespaceInode(second, 'net'))
    return 'Both are in one network namespace, with one cable. Likeliest: the second joined that of the first, as the containers of a pod do.'
  if (one === two)
    return `Both have the address ${one}, so the first talks to itself. Likeliest: it was not recorded as taken.`
  const other = await fault({ pid: second, host, bridge })
  if (other) return other
  const ends = [await cableOf(pid, host), await cableOf(second, host)].flatMap(({ far }) => far?.name ?? [])
  return (await ask(host, net => ends.every(name => net.isIsolated(name))))
    ? 'Both ends on the bridge are isolated, and the bridge forwards nothing between two isolated ports (bridge(8)).'
    : undefined
}

export const arrived = (which: Way): Check<Wiring> => ({
  id: which === 'withHost' ? 'host-datagrams' : 'container-datagrams',
  claim: 'every datagram arrived, and every answer came back',
  look(scene) {
    const { sent, arrived, answered, source, refused } = scene.exchanges[which]
    return judged(
      sent > 0 && arrived === sent && answered === sent && !refused,
      [
        ...(refused ? [seen('sendto', null, refused)] : []),
        sent === 0 && !refused
          ? seen('sendto', null, 'there is no address to send to')
          : seen(
              'recvfrom',
              null,
              `${arrived} of ${sent} arrived${arrived ? ` from ${show(source)}` : ''}, ${counted(answered, 'answer')}`,
            ),
      ],
      () => between(which, scene),
      'Likeliest: a firewall of the host drops them (with br_netfilter, also packets that only cross a bridge): sudo nft list ruleset shows it. With --rootless there is none.',
    )
  },
})

export const bothCounted = (which: Way): Check<Wiring> => ({
  id: which === 'withHost' ? 'host-counters' : 'container-counters',
  claim: 'both ends of the cable counted them and a few ARP packets: what went in here came out there',
  look(scene) {
    const { cables, sent: least } = scene.exchanges[which]
    const risen = cables.map(({ ends, before }) => {
      const now = bothEnds(...ends)
      return { ends, far: rise(before[0], now[0]), near: rise(before[1], now[1]) }
    })
    const name = ({ pid, link }: End) => `/proc/${pid === process.pid ? 'self' : pid}/net/dev (${link})`
    const shown = (risen: Packets) => `${inAndOut(risen)}, for ${least} each way`
    return judged(
      least > 0 &&
        risen.length > 0 &&
        risen.every(
          ({ far, near }) =>
            far.in === near.out && far.out === near.in && near.in >= least && near.out >= least,
        ),
      risen.flatMap(({ ends: [there, here], far, near }) => [
        seen(name(there), shown(far), null),
        seen(name(here), null, shown(near)),
      ]),
      () => between(which, scene),
      `Each counter must rise by ${least} or more (ARP adds a few), and equally on both ends. Likeliest: the packets took another way, or these are not the two ends of one cable.`,
    )
  },
})

export const second = {
  apart: {
    id: 'two-addresses',
    claim: 'two containers on one bridge: two network namespaces, two addresses',
    async look(scene) {
      const { pid, second } = scene
      const [one, two] = [await eth0(pid), await eth0(second)]
      const [ours, theirs] = [namespaceInode(pid, 'net'), namespaceInode(second, 'net')]
      return judged(
        one !== 'none' && two !== 'none' && one !== two && ours !== theirs,
        [
          seen(`/proc/${pid}/ns/net`, null, `${ours}, ${one}`),
          seen(`/proc/${second}/ns/net`, null, `${theirs}, ${two}`),
        ],
        () => between('withSecond', scene),
        'The first has an address, and the second has none.',
      )
    },
  },

  neighbour: {
    id: 'neighbour',
    claim: "the first reaches the second directly: its neighbour table has the second's hardware address",
    async look(scene) {
      const { pid, second } = scene
      const ip = plain(await eth0(second))
      const mac = find(await linksOf(second), 'eth0')?.mac ?? 'none'
      const known = neighbour(pid, ip) ?? 'none'
      return judged(
        known === mac && mac !== 'none',
        [
          seen(`/proc/${pid}/net/arp (${ip})`, null, known),
          seen(`RTM_GETLINK in ${second} (eth0)`, null, mac),
        ],
        () => between('withSecond', scene),
        'Likeliest: there is a router between the two: they are in different networks, or the host answers for the other (proxy_arp).',
      )
    },
  },
} satisfies Record<string, Check<Wiring>>

/** Whose hardware address the first container uses for the second, in the words of a prediction. */
export async function whoseAddress({ pid, second, host }: Wiring & { pid: number }): Promise<string> {
  const mac = neighbour(pid, plain(await eth0(second)))
  const { near, far, outside } = await cableOf(second, host)
  if (mac === near?.mac) return "the second container's"
  if (mac === far?.mac) return "the one of the cable's end on the host"
  return outside.some(link => link.mac === mac) ? "the bridge's, on the host" : 'none'
}
