import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import type { Endpoint } from '../../lib/kernel/sockaddr.ts'
import { ask, connections, eth0, ipv4, plain, show } from './readings.ts'
import type { Wiring } from './wiring.ts'

/** Checks of the way to the world outside: routing, and the translation of addresses. */

export const routing = {
  forwarding: {
    id: 'forwarding',
    claim: 'the host passes packets on from these two links, whatever it does with others',
    look({ bridge, outside }) {
      const knob = (link: string) => `/proc/sys/net/ipv4/conf/${link}/forwarding`
      const read = (path: string) => readFileSync(path, 'utf8').trim()
      const links = [bridge, outside.hostLink]
      return finding(
        links.every(link => read(knob(link)) === '1'),
        [
          ...links.map(link => seen(knob(link), read(knob(link)), null)),
          seen('/proc/sys/net/ipv4/ip_forward', read('/proc/sys/net/ipv4/ip_forward'), null),
        ],
        'Likeliest: only the link by which packets leave was switched; it is the one by which they come in that counts.',
      )
    },
  },

  unanswered: {
    id: 'no-way-back',
    claim: 'the datagram arrives outside, and the outside has no route for an answer',
    async look({ pid, unanswered, outside }) {
      const routes = await ask(outside.pid, net => net.routes())
      const own = plain(await eth0(pid))
      return finding(
        unanswered.arrived === 1 && unanswered.source.address === own && unanswered.refused === 'ENETUNREACH',
        [
          seen(
            'recvfrom outside',
            null,
            unanswered.arrived ? `from ${show(unanswered.source)}` : 'nothing arrived',
          ),
          seen('sendto outside', null, unanswered.refused ?? 'no error'),
          seen(
            `RTM_GETROUTE in ${outside.pid}`,
            null,
            routes
              .map(({ to }) => to)
              .filter(to => !to.includes(':'))
              .join(', '),
          ),
        ],
        unanswered.arrived
          ? 'Likeliest: addresses were translated already, or the outside has a default route.'
          : 'Likeliest: the host does not forward, or its firewall drops what it forwards (docker and ufw set it up so): sudo nft list ruleset shows it. With --rootless there is none.',
      )
    },
  },
} satisfies Record<string, Check<Wiring>>

/** What became of an answer, in the words of a prediction. */
export function fate({ unanswered }: Wiring): string {
  if (unanswered.answered) return 'it reaches the container'
  return unanswered.refused ? 'it cannot even be sent' : 'it is lost on the way'
}

export const nat = {
  published: {
    id: 'published-port',
    claim: 'a TCP connection from outside to the host’s port ends in the container',
    look({ pid, outside, published }) {
      const client = connections(outside.pid).find(c => show(c.remote) === show(published.at))
      const server = connections(pid).find(c => show(c.local) === show(published.to))
      const way = (c?: { local: Endpoint; remote: Endpoint }) =>
        c ? `${show(c.local)} ⇄ ${show(c.remote)}` : 'no connection'
      return finding(
        client !== undefined && server !== undefined && show(server.remote) === show(client.local),
        [
          seen(`/proc/${outside.pid}/net/tcp, outside`, null, way(client)),
          seen(`/proc/${pid}/net/tcp`, null, way(server)),
        ],
        `The outside ${client ? 'has' : 'has no'} connection to ${show(published.at)}. Likeliest: the rule names another address or port, nothing listens in the container, or the host’s firewall drops what it forwards.`,
      )
    },
  },

  messages: {
    id: 'both-ways',
    claim: 'what each side says, the other one reads',
    look({ conversation }) {
      const { client, server } = conversation
      return finding(
        server === 'who is there?' && client === 'the container',
        [seen('recvfrom in the container', null, server), seen('recvfrom outside', null, client)],
        'Likeliest: the answers find no way back: without connection tracking they leave with the container’s own address.',
      )
    },
  },

  ruleCounter: {
    id: 'rule-counter',
    claim: 'the rule has counted one packet: the first of the connection',
    look(scene) {
      const count = ruleCount(scene)
      const said =
        count === undefined
          ? 'no such rule'
          : `${count} ${count === 1 ? 'packet' : 'packets'}, to ${show(scene.published.to)}`
      return finding(
        count === 1,
        seen(scene.rules.map(word => word.split('/').at(-1)).join(' '), said, null),
        'Likeliest: the rule is in no chain that packets from outside pass (prerouting), or another rule took the packet first.',
      )
    },
  },

  masqueraded: {
    id: 'masquerade',
    claim: 'outside, the container’s packets bear the host’s address, and answers find back',
    async look({ pid, masqueraded, outside, host }) {
      const own = plain(await eth0(pid))
      const hosts = plain(ipv4(await ask(host, net => net.addresses()), outside.hostLink))
      const { arrived, answered, source } = masqueraded
      return finding(
        arrived === 1 && source.address === hosts && answered === 1,
        [
          seen(`RTM_GETADDR (${outside.hostLink}, eth0)`, hosts, own),
          seen('recvfrom outside', null, arrived ? `from ${show(source)}` : 'nothing arrived'),
          seen('recvfrom in the container', null, `${answered} answer`),
        ],
        source.address === own
          ? 'It came with its own address. Likeliest: the rule names another network or link, or is not in postrouting.'
          : 'Likeliest: the host’s firewall drops what it forwards: sudo nft list ruleset shows it.',
      )
    },
  },
} satisfies Record<string, Check<Wiring>>

/** How often the rule was looked up, in the words of a prediction. */
export function lookups(scene: Wiring): string {
  const count = ruleCount(scene) ?? 0
  return count > 1 ? 'each packet of the connection' : String(count)
}

/** How many packets the rule that publishes the port has counted; undefined where there is no such rule. */
function ruleCount({ rules: [program = '', ...args], published: { to } }: Wiring): number | undefined {
  const list = execFileSync(program, args, { encoding: 'utf8' }).split('\n')
  // nft: `counter packets 1 bytes 60 dnat to …`; iptables -S -v: `--to-destination … -c 1 60`
  const count = /counter packets (\d+)|-c (\d+) /.exec(list.find(line => line.includes(show(to))) ?? '')
  return count ? Number(count[1] ?? count[2]) : undefined
}
