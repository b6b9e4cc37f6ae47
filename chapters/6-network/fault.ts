import { readFileSync } from 'node:fs'
import { finding } from '../../lib/guide/evidence.ts'
import type { Evidence, Finding } from '../../lib/guide/step.ts'
import { namespaceInode } from '../../lib/kernel/process/procfs.ts'
import type { Link } from '../../lib/kernel/netlink/link.ts'
import { networkOf } from '../../lib/kernel/netlink/subnet.ts'
import { areEnds, ask, cableOf, defaultRoute, find, ipv4, plain } from './readings.ts'

/**
 * Why packets do not get through: what the kernel shows of the way from a container to the host, from its network
 * namespace to its address, and beyond. The first fault on the way stops them, so it is the one reported.
 */

/** A container, the host's side of its network, and what the kernel says about both. */
interface Way {
  pid: number
  host: number
  bridge: string
}

interface Look {
  shared: boolean
  near: Link | undefined
  far: Link | undefined
  inside: Link[]
  outside: Link[]
  bridge: Link | undefined
  /** addresses with the lengths of their networks, or `none`: of eth0, of the bridge, of the cable's other end */
  own: string
  gateway: string
  farOwn: string
}

/** Two interfaces here that are the ends of one cable: neither end was moved. */
const wholeCable = (links: Link[]) =>
  links.filter(a => a.linkNetnsId === null && links.some(b => areEnds(a, b))).map(({ name }) => name)

const SHARED =
  "It is in the host's own network namespace. Likeliest: CLONE_NEWNET is missing from the clone flags."

/** The diagnosis for a process that is in the host's network namespace. */
export function sharing(pid: number, host: number): string | undefined {
  return namespaceInode(pid, 'net') === namespaceInode(host, 'net') ? SHARED : undefined
}

type Fault = readonly [wrong: (look: Look) => boolean, words: (look: Look) => string]

/** In the order of the way: what is wrong, and how to say it. First the cable … */
const CABLE_FAULTS: readonly Fault[] = [
  [({ shared }) => shared, () => SHARED],
  [
    ({ near, outside }) => !near && wholeCable(outside).length > 0,
    ({ outside }) =>
      `There is no eth0 inside: both ends of the cable, ${wholeCable(outside).join(' and ')}, are on the host. Likeliest: the second end was never moved into the container's network namespace.`,
  ],
  [
    ({ near }) => !near,
    () =>
      'There is no eth0 inside, and no end of a cable on the host. Likeliest: the veth pair was never made.',
  ],
  [
    ({ inside }) => wholeCable(inside).length > 0,
    ({ inside }) =>
      `Both ends of the cable, ${wholeCable(inside).join(' and ')}, are in the container. Likeliest: the pair was made there, and no end moved out to the host.`,
  ],
  [
    ({ near }) => !near?.up,
    () =>
      'eth0 is down. Likeliest: it was given an address but never set up; an interface that is down has no routes either.',
  ],
  [
    ({ far }) => !far?.up,
    ({ far }) =>
      `The host's end of the cable, ${far?.name}, is down. Likeliest: only the container's end was set up, and a cable carries only while both are.`,
  ],
]

/** … and then what it is attached to, and the addresses. */
const NETWORK_FAULTS: readonly Fault[] = [
  [({ bridge }) => !bridge, () => 'The host has no such bridge. Likeliest: it was never made.'],
  [
    ({ far }) => !far?.master,
    ({ far }) =>
      `The host's end of the cable, ${far?.name}, is not attached to a bridge. Likeliest: it was never given a master.`,
  ],
  [
    ({ bridge }) => !bridge?.up,
    ({ bridge }) => `The bridge ${bridge?.name} is down. Likeliest: it was made and never set up.`,
  ],
  [
    ({ own, farOwn }) => own === 'none' && farOwn !== 'none',
    ({ far, farOwn }) =>
      `eth0 has no address: ${farOwn} is that of ${far?.name}. Likeliest: it was given to the end that stays on the host.`,
  ],
  [
    ({ own }) => own === 'none',
    () =>
      'eth0 has no address. Likeliest: it never got one, or it got one before the interface was moved into the container: a move takes addresses away.',
  ],
  [
    ({ own }) => own.endsWith('/32'),
    ({ own, gateway }) =>
      `${own} is a network of one address, and the bridge's is ${networkOf(gateway)}. Likeliest: the address was given without the length of its network.`,
  ],
  [
    ({ gateway }) => gateway === 'none',
    ({ bridge }) =>
      `The bridge ${bridge?.name} has no address. Likeliest: it was given none, so the host itself is not on that network.`,
  ],
  [
    ({ own, gateway }) => networkOf(own) !== networkOf(gateway),
    ({ own, gateway }) =>
      `${own} and the bridge's ${gateway} are in two networks, which a bridge does not connect.`,
  ],
]

async function look({ pid, host, bridge: name }: Way): Promise<Look> {
  const { near, far, inside, outside } = await cableOf(pid, host)
  const addresses = await ask(host, net => net.addresses())
  return {
    shared: sharing(pid, host) !== undefined,
    near,
    far,
    inside,
    outside,
    bridge: find(outside, name),
    own: ipv4(await ask(pid, net => net.addresses()), 'eth0'),
    gateway: ipv4(addresses, name),
    farOwn: far ? ipv4(addresses, far.name) : 'none',
  }
}

/** What is wrong with the cable alone; undefined if nothing is. */
export const cableFault = (way: Way) => firstOf(CABLE_FAULTS, way)

/** What keeps a container's packets from the host; undefined if nothing visible does. */
export const fault = (way: Way) => firstOf([...CABLE_FAULTS, ...NETWORK_FAULTS], way)

async function firstOf(faults: readonly Fault[], way: Way): Promise<string | undefined> {
  const seen = await look(way)
  return faults.find(([wrong]) => wrong(seen))?.[1](seen)
}

/** What keeps a container's packets from everything that is not on its bridge. */
export async function routeFault(way: Way): Promise<string | undefined> {
  const found = await fault(way)
  if (found) return found
  const gateway = plain(ipv4(await ask(way.host, net => net.addresses()), way.bridge))
  const route = defaultRoute(way.pid)
  if (!route)
    return 'There is no default route. Likeliest: it was added before eth0 was up (the kernel then answers ENETUNREACH), or never.'
  if (route.via === '0.0.0.0')
    return 'The default route names no gateway, so eth0 asks by ARP for addresses that no interface on the bridge has.'
  return route.via === gateway
    ? undefined
    : `The default route leads to ${route.via}, and the bridge is ${gateway}.`
}

/** Whether the host forwards packets that arrive on an interface: `1` or `0`; undefined if it has no such interface. */
export function forwarding(link: string): string | undefined {
  const links = readFileSync('/proc/self/net/dev', 'utf8')
  if (!new RegExp(`^ *${link}:`, 'm').test(links)) return undefined
  return readFileSync(forwardingKnob(link), 'utf8').trim()
}
export const forwardingKnob = (link: string) => `/proc/sys/net/ipv4/conf/${link}/forwarding`

/** What stops packets on their way through the host, there or back. */
export function forwardFault(bridge: string, out: string): string | undefined {
  const [there, back] = [forwarding(bridge), forwarding(out)]
  if (there === '1' && back === '1') return undefined
  if (there !== '1' && back !== '1')
    return 'The host is not a router: forwarding is off for both interfaces. Likeliest: it was never switched on.'
  return there === '1'
    ? `The host forwards no packet that arrives on ${out}. Likeliest: only the container's side was considered, and the outside's packets arrive on the other interface.`
    : `The host forwards no packet that arrives on ${bridge}. Likeliest: forwarding was switched on only for the interface on which packets leave; what counts is the interface on which they arrive.`
}

/** A finding whose diagnosis is looked for only when the claim does not hold; `otherwise` is used when none is found. */
export async function judged(
  ok: boolean,
  evidence: Evidence | Evidence[],
  why: () => Promise<string | undefined> | string | undefined,
  otherwise: string,
): Promise<Finding> {
  return finding(ok, evidence, ok ? '' : ((await why()) ?? otherwise))
}
