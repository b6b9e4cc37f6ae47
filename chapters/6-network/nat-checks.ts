import { readFileSync } from 'node:fs'
import { seen } from '../../lib/guide/evidence.ts'
import type { Check, Scene } from '../../lib/guide/step.ts'
import type { Endpoint } from '../../lib/kernel/syscalls/sockaddr.ts'
import { forwardFault, forwarding, forwardingKnob, judged, routeFault } from './fault.ts'
import { ask, connections, eth0, ipv4, plain, show } from './readings.ts'
import { type Rule, rulesThat } from './rules.ts'
import type { Wiring } from './wiring.ts'

/** Checks of the way to the outside: routing and address translation. */

type Whole = Scene & Wiring

/** What stops packets before the host, or in it. */
async function onTheWay({ pid, host, bridge, outside }: Whole): Promise<string | undefined> {
  return (await routeFault({ pid, host, bridge })) ?? forwardFault(bridge, outside.hostLink)
}

const FIREWALL =
  "Likeliest: the host's firewall drops forwarded packets (docker and ufw set it up this way): sudo nft list ruleset shows it. With --rootless there is none."

export const routing = {
  forwarding: {
    id: 'forwarding',
    claim: 'the host forwards packets that arrive on these two interfaces, whatever it does for others',
    look(scene) {
      const { bridge, outside } = scene
      const links = [bridge, outside.hostLink]
      return judged(
        links.every(link => forwarding(link) === '1'),
        [
          ...links.map(link => seen(forwardingKnob(link), forwarding(link) ?? 'no such interface', null)),
          seen(
            '/proc/sys/net/ipv4/ip_forward',
            readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim(),
            null,
          ),
        ],
        async () =>
          forwarding(bridge) === undefined
            ? routeFault({ pid: scene.pid, host: scene.host, bridge })
            : forwardFault(bridge, outside.hostLink),
        'There is no such interface.',
      )
    },
  },

  unanswered: {
    id: 'no-way-back',
    claim: 'the datagram arrives outside, and the outside has no route for an answer',
    async look(scene) {
      const { pid, unanswered, outside } = scene
      const routes = await ask(outside.pid, net => net.routes())
      const own = plain(await eth0(pid))
      const { sent, arrived, source, refused } = unanswered
      return judged(
        arrived === 1 && source.address === own && refused === 'ENETUNREACH',
        [
          seen('recvfrom outside', null, arrived ? `from ${show(source)}` : 'nothing arrived'),
          seen(sent ? 'sendto outside' : 'sendto in the container', null, refused ?? 'no error'),
          seen(
            `RTM_GETROUTE in ${outside.pid}`,
            null,
            routes
              .map(({ to }) => to)
              .filter(to => !to.includes(':'))
              .join(', '),
          ),
        ],
        () => onTheWay(scene),
        !arrived
          ? FIREWALL
          : source.address === own
            ? "The outside has a route to the container's private address. Likeliest: it was given a default route."
            : `It came from ${source.address}. Likeliest: addresses are already translated.`,
      )
    },
  },
} satisfies Record<string, Check<Wiring>>

/** What happened to an answer, in the words of a prediction. */
export function fate({ unanswered }: Wiring): string {
  if (unanswered.answered) return 'it reaches the container'
  return unanswered.refused ? 'it cannot even be sent' : 'it is lost on the way'
}

/** The rules for packets to the host's published address. */
const publishing = (scene: Wiring) =>
  rulesThat(scene.rules, ({ to }) => to !== undefined, scene.published.at.address)

/** What keeps connections from the container although packets can get there. */
function misdirected(scene: Wiring): string | undefined {
  const { at, to } = scene.published
  const [rule] = publishing(scene)
  if (!rule) return `There is no rule for packets to ${at.address}.`
  if (rule.stateless)
    return "The rule rewrites packets without connection tracking (notrack). So the kernel does not put the host's address back into the answers: they come from the container's own address, which the outside did not connect to."
  if (rule.chain !== 'prerouting')
    return `The rule is in a chain of the hook ${rule.chain}, which only the host's own packets pass: packets from outside pass prerouting.`
  if (rule.port !== at.port)
    return `The rule is for port ${rule.port}, and the outside asks for ${at.port}. Likeliest: the two ports were confused.`
  if (rule.to !== show(to)) return `The rule sends to ${rule.to}, and the container is ${show(to)}.`
  return undefined
}

const why = async (scene: Whole) => (await onTheWay(scene)) ?? misdirected(scene)

export const nat = {
  published: {
    id: 'published-port',
    claim: "a TCP connection from outside to the host's port ends in the container",
    look(scene) {
      const { pid, outside, published } = scene
      const client = connections(outside.pid).find(c => show(c.remote) === show(published.at))
      const server = connections(pid).find(c => show(c.local) === show(published.to))
      const way = (c?: { local: Endpoint; remote: Endpoint }) =>
        c ? `${show(c.local)} ⇄ ${show(c.remote)}` : 'no connection'
      return judged(
        client !== undefined && server !== undefined && show(server.remote) === show(client.local),
        [
          seen(`/proc/${outside.pid}/net/tcp, outside`, null, way(client)),
          seen(`/proc/${pid}/net/tcp`, null, way(server)),
        ],
        () => why(scene),
        `The outside ${client ? 'has' : 'has no'} connection to ${show(published.at)}. ${FIREWALL}`,
      )
    },
  },

  messages: {
    id: 'both-ways',
    claim: 'each side reads what the other sends',
    look(scene) {
      const { client, server } = scene.conversation
      return judged(
        server === 'who is there?' && client === 'the container',
        [seen('recvfrom in the container', null, server), seen('recvfrom outside', null, client)],
        () => why(scene),
        FIREWALL,
      )
    },
  },

  ruleCounter: {
    id: 'rule-counter',
    claim: 'the rule has counted one packet: the first of the connection',
    look(scene) {
      const rule = publishedRule(scene)
      const counted = rule
        ? `${rule.packets} ${rule.packets === 1 ? 'packet' : 'packets'}, to ${rule.to}`
        : 'no such rule'
      return judged(
        rule?.packets === 1,
        seen(scene.rules.map(word => word.split('/').at(-1)).join(' '), counted, null),
        () => why(scene),
        'Likeliest: another rule took the packet first.',
      )
    },
  },

  masqueraded: {
    id: 'masquerade',
    claim: "outside, the container's packets have the host's address, and answers come back",
    async look(scene) {
      const { pid, outside, host } = scene
      const own = plain(await eth0(pid))
      const hosts = plain(ipv4(await ask(host, net => net.addresses()), outside.hostLink))
      const { arrived, answered, source } = scene.masqueraded
      return judged(
        arrived === 1 && source.address === hosts && answered === 1,
        [
          seen(`RTM_GETADDR (${outside.hostLink}, eth0)`, hosts, own),
          seen('recvfrom outside', null, arrived ? `from ${show(source)}` : 'nothing arrived'),
          seen('recvfrom in the container', null, answered ? 'the answer' : 'no answer'),
        ],
        async () => (await onTheWay(scene)) ?? (source.address === own ? unmasked(scene) : undefined),
        FIREWALL,
      )
    },
  },
} satisfies Record<string, Check<Wiring>>

/** Why a packet kept its own address. */
function unmasked({ rules, outside, masqueraded: { source } }: Wiring): string {
  const around = source.address.replace(/\d+$/, '') // iptables lists the rules of others too
  const [rule] = rulesThat(rules, ({ masquerade }) => masquerade, outside.hostLink, around)
  const came = `It came with its own address, ${source.address}.`
  if (!rule) return `${came} Likeliest: the host was given no rule to masquerade.`
  return rule.out === outside.hostLink
    ? `${came} The rule is for packets from ${rule.from}.`
    : `${came} The rule is for packets that leave through ${rule.out}, and these leave through ${outside.hostLink}.`
}

/** How often the rule was looked up, in the words of a prediction. */
export function lookups(scene: Wiring): string {
  const count = publishedRule(scene)?.packets ?? 0
  return count > 1 ? 'each packet of the connection' : String(count)
}

/** The rule that publishes the container's port; undefined where there is no such rule. */
function publishedRule(scene: Wiring): Rule | undefined {
  return publishing(scene).find(({ to, stateless }) => to === show(scene.published.to) && !stateless)
}
