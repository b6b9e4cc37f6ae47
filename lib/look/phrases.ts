// Texts and numbers for both drawings, in the terminal and as SVG
import { isReadable } from './readable.ts'
import type {
  Cable,
  CgroupView,
  Change,
  Content,
  Count,
  IdRange,
  Limit,
  LinkView,
  NamespaceView,
  Network,
  RouteView,
  Security,
  Snapshot,
} from './snapshot-shape.ts'
import { clean } from './terminal-text.ts'

/** A size, with at most three digits, easy to read from a distance: `434 KiB`, `64 MiB`. */
export function bytes(count: number): string {
  let value = count
  let unit = 0
  for (; value >= 1000 && unit < UNITS.length - 1; unit++) value /= 1024
  return `${unit === 0 || value >= 10 ? Math.round(value) : value.toFixed(1).replace('.0', '')} ${UNITS[unit]}`
}
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB']

/** A duration in microseconds as text: `850 µs`, `50 ms`, `4.2 s`, `3 min`. */
export function duration(microseconds: number): string {
  if (microseconds < 1000) return `${Math.round(microseconds)} µs`
  if (microseconds < 1e6) return `${Math.round(microseconds / 1000)} ms`
  if (microseconds < 120e6) return `${(microseconds / 1e6).toFixed(1).replace('.0', '')} s`
  return `${Math.round(microseconds / 60e6)} min`
}

/** A number that may be missing: `–` if there is no such file, `not readable` if we may not read it. */
export function shown(value: Count | Limit, as: (count: number) => string = String): string {
  if (!isReadable(value)) return 'not readable'
  return value === null ? '–' : value === 'max' ? 'no limit' : as(value)
}

export const plural = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`

/** The content of an upper directory: `3 B in 4 entries, 1 deleted from below`. */
export function contentWords({ entries, bytes: size, whiteouts, more }: Content): string {
  if (entries === 0) return 'nothing written yet'
  const found = `${bytes(size)} in ${more ? 'more than ' : ''}${plural(entries, 'entry', 'entries')}`
  return whiteouts ? `${found}, ${plural(whiteouts, 'whiteout')}` : found
}

/** A change: `+` for new, `~` for copied up, `−` for deleted, and the path. */
export const changeWords = ({ path, what }: Change): string =>
  what === 'new' ? `+ ${path}` : what === 'whiteout' ? `− ${path}` : `~ ${path}  copied up`

/** Whether a container is frozen, in words. */
export const frozenWords = ({ frozen }: CgroupView) =>
  !isReadable(frozen)
    ? 'not readable'
    : frozen === null
      ? '–'
      : frozen
        ? 'yes: its processes do not run'
        : 'no'

/** A uid as we see it and, if it differs, as it is inside: `0`, or `100000 is 0`. */
export const uidWords = (outside: number, inside: number | null) =>
  inside === outside ? String(outside) : `${outside} is ${inside ?? 'no one'}`

/** A sign and a word that say whether a namespace is the container's own. */
export function ownWords({ own, inode }: NamespaceView): [mark: string, word: string] {
  if (!isReadable(own)) return ['?', 'not readable']
  if (inode === null) return ['–', 'not here']
  return own ? ['●', 'its own'] : ['○', "the host's"]
}

/** The other processes in a namespace. */
export function othersWords(others: NamespaceView['others']): string {
  const named = others.slice(0, 3).map(({ pid, name }) => `${clean(name)} ${pid}`)
  return named.join(', ') + (others.length > 3 ? ` and ${others.length - 3} more` : '')
}

/** A description of a network namespace that is not drawn; null if it is. */
export function networkWords({ own }: Network): string | null {
  return own === false ? "shared with the host: its links, addresses and ports are the container's too" : null
}

export const linkState = ({ up, running }: Pick<LinkView, 'up' | 'running'>) =>
  up === null ? '' : !up ? 'down' : running ? 'up' : 'up, no carrier'

/** A default route: `by 10.44.0.1 on eth0`. */
export const routeWords = (route: RouteView | null) =>
  route === null
    ? 'none: it cannot reach anything outside'
    : [route.via && `by ${route.via}`, route.dev && `on ${route.dev}`].filter(Boolean).join(' ')

/** One end of a cable, or the way out behind it, as a box of the drawing. */
export interface CableBox {
  title: string
  name: string
  /** for the way out: null if no cable leads there */
  link: LinkView | null
  key: string
  lines: { key: string; text: string }[]
}

/** The boxes of a cable, from inside to outside: the container's end, the host's, the bridge, and the way out. */
export function cableBoxes({ inside, peer, bridge }: Cable, { links, outside }: Network): CableBox[] {
  const near = links.find(({ name }) => name === inside)
  const out = outside?.defaultRoute
  return [
    ...(near ? [linkBox('the container', near, `network.${inside}`)] : []),
    linkBox(outside?.host ? 'the host: veth' : 'the sandbox: veth', peer, `network.outside.${peer.name}`),
    ...(bridge
      ? [linkBox(`bridge, ${plural(bridge.ports, 'port')}`, bridge, `network.outside.${bridge.name}`)]
      : []),
    ...(outside && out
      ? [
          {
            title: 'the way out',
            name: out.dev ?? '',
            link: null,
            key: 'network.outside.route',
            lines: [
              { key: 'network.outside.route.address', text: outside.address ?? '' },
              { key: 'network.outside.route.via', text: out.via ? `by ${out.via}` : '' },
            ],
          },
        ]
      : []),
  ]
}

function linkBox(title: string, link: LinkView, key: string): CableBox {
  const { name, addresses, rxPackets, rxBytes, txPackets, txBytes } = link
  const state = link.up && link.running ? '' : ` (${linkState(link)})`
  const ipv4 = addresses.filter(address => !address.includes(':'))
  const lines = [
    { key: `${key}.address`, text: ipv4.join(' ') || 'no address' },
    { key: `${key}.rx`, text: `in  ${traffic(rxPackets, rxBytes)}` },
    { key: `${key}.tx`, text: `out ${traffic(txPackets, txBytes)}` },
  ]
  return { title, name: clean(name) + state, link, key, lines }
}

/** A number of packets and their size: `16 · 1.4 KiB`. */
export const traffic = (packets: number, size: number) => `${packets} · ${bytes(size)}`

/** An id map in words: `all ids as on the host`, `0–65535 is 100000–165535 outside`. */
export function idWords(ranges: Security['uidMap']): string[] {
  if (!isReadable(ranges)) return [`not readable: ${ranges.notReadable}`]
  if (ranges.length === 0) return ['not written yet: every id is 65534']
  return ranges.map(range =>
    range.inside === range.outside && range.count > 2 ** 31
      ? 'all as on the host'
      : `${span(range.inside, range)} is ${span(range.outside, range)} outside`,
  )
}
const span = (first: number, { count }: IdRange) =>
  count === 1 ? `${first}` : `${first}–${first + count - 1}`

/** Capabilities as on a command line: `chown net_raw …`. */
export const capabilityWords = ({ capabilities }: Security) =>
  capabilities.map(name => name.replace(/^CAP_/, '').toLowerCase())

/** A summary in one sentence, for screen readers. */
export function summary(snapshot: Snapshot): string {
  const { processes, namespaces, cgroup, network, security } = snapshot
  const own = namespaces.filter(view => view.own === true).map(({ kind }) => kind)
  const { current, limit } = cgroup.memory
  const links = network.links.map(({ name, addresses }) => [name, ...addresses].join(' '))
  return [
    `Container ${snapshot.name}, first process ${snapshot.pid}: ${plural(processes.count, 'process', 'processes')}.`,
    `Its own namespaces: ${own.join(', ') || 'none'}.`,
    `Memory ${shown(current, bytes)}, limit ${shown(limit, bytes)}.`,
    network.own === false ? "The network is the host's." : `Links: ${links.join('; ') || 'none'}.`,
    `${plural(security.capabilities.length, 'capability', 'capabilities')}, seccomp ${security.seccomp}.`,
  ].join(' ')
}
