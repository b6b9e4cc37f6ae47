import type { Endpoint } from '../../lib/kernel/syscalls/sockaddr.ts'
import type { End, Packets } from './readings.ts'

/** A machine outside, as far as the host can tell: a network namespace at the other end of its own cable. */
export interface Outside {
  pid: number
  address: string
  /** the host's address and interface on that cable */
  hostAddress: string
  hostLink: string
}

/** The result of an exchange of datagrams. */
export interface Exchange {
  sent: number
  arrived: number
  /** where they came from, as the receiver saw it */
  source: Endpoint
  /** how many answers came back */
  answered: number
  /** why sending, or answering, was refused */
  refused: string | null
}

/** What each side of a TCP connection read from the other. */
export interface Conversation {
  client: string
  server: string
}

/** What the experiments made and measured. */
export interface Wiring {
  /** a process in the host's network namespace: ourselves */
  host: number
  bridge: string
  /** the first process of a container without a network, and what happened to packets to its loopback address */
  bare: number
  loopback: { down: Exchange; up: Exchange; before: Packets }
  second: number
  /** the first process of a container in each mode */
  modes: Record<'none' | 'host' | 'bridge', number>
  outside: Outside
  exchanges: Record<'withHost' | 'withSecond', Counted>
  unanswered: Exchange
  masqueraded: Exchange
  conversation: Conversation
  /** the host's address and port, and the container's that it stands for */
  published: { at: Endpoint; to: Endpoint }
  /** the command that shows the translation rules with their counters */
  rules: string[]
}

/** An exchange, and the counters of both ends of its cables before it. */
export interface Counted extends Exchange {
  cables: { ends: [End, End]; before: [Packets, Packets] }[]
}

const NOWHERE = { address: '', port: 0 }
export const NOTHING: Exchange = { sent: 0, arrived: 0, source: NOWHERE, answered: 0, refused: null }

/** The values before anything is made. */
export const unwired = (): Wiring => ({
  host: process.pid,
  bridge: '',
  bare: 0,
  loopback: { down: NOTHING, up: NOTHING, before: { in: 0, out: 0 } },
  second: 0,
  modes: { none: 0, host: 0, bridge: 0 },
  outside: { pid: 0, address: '', hostAddress: '', hostLink: '' },
  exchanges: { withHost: { ...NOTHING, cables: [] }, withSecond: { ...NOTHING, cables: [] } },
  unanswered: NOTHING,
  masqueraded: NOTHING,
  conversation: { client: '', server: '' },
  published: { at: { address: '', port: 8080 }, to: { address: '', port: 80 } },
  rules: [],
})
