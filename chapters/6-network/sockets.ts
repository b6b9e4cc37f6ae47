import { closeSync } from 'node:fs'
import type { Experiment } from '../../lib/guide/experiment.ts'
import {
  AF_INET,
  SO_RCVTIMEO,
  SO_SNDTIMEO,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../lib/kernel/syscalls/constants.ts'
import {
  type Endpoint,
  endpoint,
  sockaddr,
  SOCKADDR_IN,
  timeval,
} from '../../lib/kernel/syscalls/sockaddr.ts'
import type { Later, Replayed, Tape } from '../../lib/kernel/tape/tape.ts'
import { type Conversation, type Exchange, NOTHING } from './wiring.ts'

/**
 * Traffic for the experiments. A visitor joins a network namespace and opens a socket there; it shares our descriptors,
 * so the socket stays ours. A socket belongs to the namespace in which it was opened, whichever process uses it later.
 */

/** Where a socket is opened: a process in that network namespace, and what to call it. */
export interface Place {
  pid: number
  name: string
}

// a veth delivers a packet while it is sent (drivers/net/veth.c), unless ARP has to ask first: what has not arrived
// in this many seconds will not arrive. Less than the second after which TCP would send its SYN again.
const SOCKET_TIMEOUT = timeval(0.3)
const ANY = '0.0.0.0'
const ADDRESS_LENGTH = Buffer.from(Uint32Array.of(SOCKADDR_IN).buffer)

/** Several visits that are one story: their calls, without the preparation, are shown together at the end. */
class Story<S> {
  readonly #experiment: Experiment<S>
  readonly #telling: Replayed[] = []

  constructor(experiment: Experiment<S>) {
    this.#experiment = experiment
  }

  /** Calls in a place. A call of the story may be refused: that ends the story, and the checks see it. */
  async act({ pid, name }: Place, purpose: string, record: (tape: Tape) => void): Promise<Replayed[]> {
    const options = { pid, mayBeRefused: TELLING, quiet: true }
    const tape = await this.#experiment.inside(`${name} ${purpose}`, ['user', 'net'], record, options)
    this.#telling.push(...tape.filter(({ call }) => TELLING.includes(call)))
    return tape
  }

  /** Opens a socket in a place, and makes the first calls with it. */
  async open(
    place: Place,
    purpose: string,
    type: number,
    use: (tape: Tape, socket: Later) => void,
  ): Promise<{ socket: number; tape: Replayed[] }> {
    const tape = await this.act(place, purpose, tape => {
      const socket = tape.socket(AF_INET, type | SOCK_CLOEXEC, 0)
      for (const option of [SO_RCVTIMEO, SO_SNDTIMEO])
        tape.setsockopt(socket, SOL_SOCKET, option, SOCKET_TIMEOUT, SOCKET_TIMEOUT.length)
      use(tape, socket)
    })
    const socket = Number(tape.find(({ call }) => call === 'socket')?.result)
    return { socket, tape }
  }

  show(heading: string): void {
    this.#experiment.show(heading, this.#telling)
  }
}

const TELLING = ['bind', 'listen', 'connect', 'accept4', 'sendto', 'recvfrom']
const refusal = (tape: readonly Replayed[]) => tape.find(({ errno }) => errno)?.errno ?? null
const count = (tape: readonly Replayed[], call: string) =>
  tape.filter(op => op.call === call && op.errno === null).length

const PORT = 7 // the echo service's: RFC 862
const TEXT = Buffer.from('hi')

function send(tape: Tape, socket: Later | number, to: Endpoint, wanted: number): void {
  const target = sockaddr(to)
  for (let i = 0; i < wanted; i++) tape.sendto(socket, TEXT, TEXT.length, 0, target, target.length)
}

/** `source` receives the address of the first sender. */
function receive(tape: Tape, socket: number, source: Uint8Array, wanted: number): void {
  for (let i = 0; i < wanted; i++) {
    const [from, length] = i === 0 ? [source, ADDRESS_LENGTH] : [null, null]
    tape.recvfrom(socket, new Uint8Array(TEXT.length), TEXT.length, 0, from, length)
  }
}

/**
 * Datagrams from one place to an address in another. Each is answered to its source address. None if
 * there is no address to send them to.
 */
export async function exchange<S>(
  experiment: Experiment<S>,
  from: Place,
  to: Place & { address: string | undefined },
  wanted: number,
): Promise<Exchange> {
  const { address } = to
  if (address === undefined) return NOTHING
  const story = new Story(experiment)
  const sockets: number[] = []
  try {
    const there = await story.open(to, `waits on port ${PORT}`, SOCK_DGRAM, (tape, socket) => {
      tape.bind(socket, sockaddr({ address: ANY, port: PORT }), SOCKADDR_IN)
    })
    sockets.push(there.socket)
    const here = await story.open(from, `sends to ${address}`, SOCK_DGRAM, (tape, socket) =>
      send(tape, socket, { address, port: PORT }, wanted),
    )
    sockets.push(here.socket)
    const source = new Uint8Array(SOCKADDR_IN)
    const sent = count(here.tape, 'sendto')
    const refused = refusal(here.tape)
    const result: Exchange = { sent, arrived: 0, source: endpoint(source), answered: 0, refused }
    if (sent === 0) return result

    const read = await story.act(to, 'reads', tape => receive(tape, there.socket, source, sent))
    result.arrived = count(read, 'recvfrom')
    result.source = endpoint(source)
    if (result.arrived === 0) return result

    const answers = await story.act(to, 'answers', tape =>
      send(tape, there.socket, result.source, result.arrived),
    )
    if (refusal(answers)) return { ...result, refused: refusal(answers) }
    const back = await story.act(from, 'reads the answers', tape =>
      receive(tape, here.socket, new Uint8Array(SOCKADDR_IN), result.arrived),
    )
    return { ...result, answered: count(back, 'recvfrom') }
  } finally {
    const [receiver = -1, sender = -1] = sockets
    const whom = from.pid === to.pid ? 'itself' : to.name
    story.show(`${from.name} (socket ${sender}) to ${whom} (socket ${receiver}), and back`)
    for (const fd of sockets) closeSync(fd)
  }
}

/** A connection from a client to an address that should lead to a server's socket in another place. */
export async function converse<S>(
  experiment: Experiment<S>,
  client: Place,
  at: Endpoint,
  server: Place & { port: number },
): Promise<Conversation> {
  const story = new Story(experiment)
  const [question, answer] = [Buffer.from('who is there?'), Buffer.from('the container')]
  const [heard, told] = [new Uint8Array(question.length), new Uint8Array(answer.length)]
  const listener = await story.open(server, `listens on port ${server.port}`, SOCK_STREAM, (tape, socket) => {
    tape.bind(socket, sockaddr({ address: ANY, port: server.port }), SOCKADDR_IN)
    tape.listen(socket, 1)
  })
  experiment.keep(listener.socket) // the checks look for the connection in /proc/<pid>/net/tcp
  const caller = await story.open(client, `connects to port ${at.port}`, SOCK_STREAM, (tape, socket) => {
    tape.connect(socket, sockaddr(at), SOCKADDR_IN)
    tape.sendto(socket, question, question.length, 0, null, 0)
  })
  // TCP would retry a connection that was not established
  if (refusal(caller.tape)) closeSync(caller.socket)
  else {
    experiment.keep(caller.socket)
    const accepted = await story.act(server, 'accepts, reads and answers', tape => {
      const length = ADDRESS_LENGTH
      const connection = tape.accept4(listener.socket, new Uint8Array(SOCKADDR_IN), length, SOCK_CLOEXEC)
      tape.recvfrom(connection, heard, heard.length, 0, null, null)
      tape.sendto(connection, answer, answer.length, 0, null, 0)
    })
    const connection = accepted.find(({ call, errno }) => call === 'accept4' && !errno)?.result
    if (connection) experiment.keep(connection)
    await story.act(client, 'reads the answer', tape =>
      tape.recvfrom(caller.socket, told, told.length, 0, null, null),
    )
  }
  story.show(`${client.name} (socket ${caller.socket}) connects, and ${server.name} answers`)
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString().replaceAll('\0', '')
  return { client: text(told), server: text(heard) }
}
