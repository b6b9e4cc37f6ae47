import { readFileSync } from 'node:fs'
import type { Link } from '../../lib/kernel/netlink/link.ts'
import { type Address, openRtnetlinkIn, type Rtnetlink } from '../../lib/kernel/netlink/rtnetlink.ts'
import type { Endpoint } from '../../lib/kernel/syscalls/sockaddr.ts'

/** What the kernel says about the network namespace that a process is in: /proc/<pid>/net and rtnetlink(7). */

/** Packets that an interface received and sent. */
export interface Packets {
  in: number
  out: number
}

/** One end of a cable: an interface, and a process in its network namespace. */
export interface End {
  pid: number
  link: string
}

/** The counters of /proc/<pid>/net/dev: proc_pid_net(5). */
export function packets({ pid, link }: End): Packets {
  const line = readFileSync(`/proc/${pid}/net/dev`, 'utf8')
    .split('\n')
    .find(text => text.trim().startsWith(`${link}:`))
  const fields = line?.split(':')[1]?.trim().split(/\s+/).map(Number) ?? []
  return { in: fields[1] ?? NaN, out: fields[9] ?? NaN }
}

/** Both ends of a cable at one moment: read again if a packet passed between the two readings. */
export function bothEnds(a: End, b: End): [Packets, Packets] {
  for (;;) {
    const [first, second, again] = [packets(a), packets(b), packets(a)]
    if (inAndOut(first) === inAndOut(again)) return [first, second]
  }
}

/** The names of the interfaces in /proc/<pid>/net/dev. */
export function linkNames(pid: number): string[] {
  return [...readFileSync(`/proc/${pid}/net/dev`, 'utf8').matchAll(/^\s*(\S+):/gm)].flatMap(
    ([, name]) => name ?? [],
  )
}

/** The gateway of the default route in /proc/<pid>/net/route, and the interface that leads to it. */
export function defaultRoute(pid: number): { via: string; link: string } | undefined {
  const rows = readFileSync(`/proc/${pid}/net/route`, 'utf8').trim().split('\n').slice(1)
  const [link = '', , via = ''] =
    rows.map(row => row.split('\t')).find(([, to, , , , , , mask]) => to === ZERO && mask === ZERO) ?? []
  return link ? { via: address(via), link } : undefined
}
const ZERO = '00000000'

/** The hardware address of a neighbour, as a process's network namespace knows it: /proc/<pid>/net/arp. */
export function neighbour(pid: number, ip: string): string | undefined {
  const rows = readFileSync(`/proc/${pid}/net/arp`, 'utf8').split('\n')
  return rows.map(row => row.split(/\s+/)).find(([known]) => known === ip)?.[3]
}

/** The established TCP connections of a network namespace: /proc/<pid>/net/tcp. */
export function connections(pid: number): { local: Endpoint; remote: Endpoint }[] {
  const rows = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').trim().split('\n').slice(1)
  return rows
    .map(row => row.trim().split(/\s+/))
    .filter(([, , , state]) => state === ESTABLISHED)
    .map(([, local = '', remote = '']) => ({ local: endpoint(local), remote: endpoint(remote) }))
}
const ESTABLISHED = '01' // include/net/tcp_states.h

/** `0100007F:0050` is 127.0.0.1:80: the address is in this machine's byte order, the port is a plain number. */
function endpoint(text: string): Endpoint {
  const [ip = '', port = ''] = text.split(':')
  return { address: address(ip), port: Number.parseInt(port, 16) }
}

function address(hex: string): string {
  return Buffer.from(hex, 'hex').reverse().join('.')
}

/** Asks rtnetlink in the network namespace of a process. */
export async function ask<T>(pid: number, question: (net: Rtnetlink) => T): Promise<T> {
  using net = await openRtnetlinkIn(pid)
  return question(net)
}

export const show = ({ address, port }: Endpoint) => `${address}:${port}`

export const linksOf = (pid: number) => ask(pid, net => net.links())
export const find = (links: Link[], name: string) => links.find(link => link.name === name)

/** The IPv4 address of an interface, with the length of its network; `none` if it has none. */
export const ipv4 = (addresses: Address[], dev: string) =>
  addresses.find(a => a.dev === dev && !a.address.includes(':'))?.address ?? 'none'
export const eth0 = async (pid: number) => ipv4(await ask(pid, net => net.addresses()), 'eth0')
/** `10.44.0.2` of `10.44.0.2/24` */
export const plain = (address: string) => address.replace(/\/.*/, '')

/** A container's eth0, its other end if that is on the host, and all interfaces of both. */
export async function cableOf(
  pid: number,
  host: number,
): Promise<{ near?: Link; far?: Link; inside: Link[]; outside: Link[] }> {
  const [inside, outside] = [await linksOf(pid), await linksOf(host)]
  const near = find(inside, 'eth0')
  // an index is unique only in its namespace: an unrelated interface here may have the same
  const far = near && outside.find(link => areEnds(near, link) && link.linkNetnsId !== null)
  return { ...(near && { near }), ...(far && { far }), inside, outside }
}

/** Whether two interfaces name each other as the other end. */
export const areEnds = (a: Link, b: Link) => a.peerIndex === b.index && b.peerIndex === a.index

export const rise = (before: Packets, now: Packets) => ({ in: now.in - before.in, out: now.out - before.out })
export const inAndOut = (risen: Packets) => `+${risen.in} in, +${risen.out} out`
