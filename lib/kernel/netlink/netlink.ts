import { closeSync } from 'node:fs'
import {
  AF_NETLINK,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NLM_F_ACK,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  SOL_NETLINK,
} from '../syscalls/constants.ts'
import { errnoName } from '../../common/errno.ts'
import { MinilabError } from '../../common/errors.ts'
import {
  align,
  attributeAt,
  type Attributes,
  type AttributesOf,
  decodeAttributes,
  decodeStruct,
  encodeAttributes,
  encodeStruct,
  sizeOf,
  type Struct,
  type StructOf,
} from './netlink-attributes.ts'
import { now } from '../syscalls/now.ts'
import { type Diagnosis, SyscallError } from '../syscalls/syscall-error.ts'
import type { Replayed } from '../tape/tape.ts'

/** A kind of message: its number, its format, and the meaning of its errors (by errno name) as far as known. */
export interface Message {
  call: string
  type: number
  struct: Struct
  attributes: Attributes
  causes: Readonly<Record<string, Diagnosis>>
}

/** The content of a request, or of an object in an answer. */
interface Content<M extends Message> {
  struct: Partial<StructOf<M['struct']>>
  attributes: AttributesOf<M['attributes']>
}
export interface Answer<M extends Message> extends Content<M> {
  struct: StructOf<M['struct']>
}

/** One request as it was made: like an entry of a tape, with a message instead of a system call. */
export interface Requested extends Omit<Replayed, 'call' | 'part'> {
  /** such as `RTM_NEWLINK` */
  call: string
  /** the number of objects in the kernel's answer: 0 for a plain ack; -1 with `errno` if it refused */
  result: number
}

/** A netlink request that the kernel refused, with the kernel's explanation. */
export class NetlinkError extends SyscallError {
  override name = 'NetlinkError'
  /** the text of the extended ack, and the attribute that it points to; null if the kernel gave neither */
  readonly extendedAck: string | null

  constructor(message: Message, args: string, errno: number, extendedAck: string | null) {
    const detail = extendedAck === null ? '' : `: ${extendedAck}`
    super(message.call, args, errno, detail, message.causes[errnoName(errno)])
    this.extendedAck = extendedAck
  }
}

/** A connection was used, or closed again, after it had been closed. Its `cause` is the place of the first close. */
export class ClosedError extends MinilabError<'usage'> {
  override readonly cause: Error

  constructor(closed: Error) {
    super(
      'usage',
      'this connection was closed already',
      'close each connection once, after its last use; await what comes later',
    )
    this.cause = closed
  }
}

const nlmsghdr = {
  nlmsg_len: 'u32',
  nlmsg_type: 'u16',
  nlmsg_flags: 'u16',
  nlmsg_seq: 'u32',
  nlmsg_pid: 'u32',
} as const
const HEADER = sizeOf(nlmsghdr)
// an ack is struct nlmsgerr {int error; struct nlmsghdr}, then attributes
const ACK_ATTRIBUTES = 4 + HEADER
const ackAttributes = { NLMSGERR_ATTR_MSG: [1, 'string'], NLMSGERR_ATTR_OFFS: [2, 'u32'] } as const
// a message of a dump is at most 32 KiB long: net/netlink/af_netlink.c netlink_recvmsg
const RECEIVE = 65536
const YES = Buffer.from([1, 0, 0, 0])
// struct sockaddr_nl with port 0, the kernel
const kernel = Buffer.alloc(12)
kernel.writeUInt16LE(AF_NETLINK)

interface Reply {
  errno: number
  extendedAck: AttributesOf<typeof ackAttributes>
  payloads: Buffer[]
  interrupted: boolean
}

/** A netlink socket: sends requests to the kernel, waits for the answers, and keeps a log of the requests. */
export class Netlink implements Disposable {
  readonly log: Requested[] = []
  readonly #fd: number
  /** filled by each recvfrom(2), and copied from */
  #received: Buffer | undefined
  #sequence = 0
  #closed: Error | undefined

  /** Takes over an open netlink socket. */
  constructor(fd: number) {
    this.#fd = fd
    // explain errors in words, and do not send the whole request back with them
    for (const option of [NETLINK_EXT_ACK, NETLINK_CAP_ACK])
      now.setsockopt(fd, SOL_NETLINK, option, YES, YES.length)
  }

  /** Closes the socket. Until then it keeps its network namespace alive, even after the last process has left the namespace. */
  close(): void {
    const fd = this.#open()
    this.#closed = new Error('closed here')
    closeSync(fd)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  /** The descriptor. Once it is closed, its number may belong to another file. */
  #open(): number {
    if (this.#closed) throw new ClosedError(this.#closed)
    return this.#fd
  }

  /**
   * Makes one request and returns the objects that the kernel answers with: all of them with NLM_F_DUMP, none for a
   * change. `args` is the request as it is displayed. Throws a NetlinkError if the kernel refuses.
   */
  request<M extends Message>(message: M, args: string, content: Partial<Content<M>>, flags = 0): Answer<M>[] {
    const body = Buffer.concat([
      encodeStruct(message.struct, content.struct ?? {}),
      encodeAttributes(message.attributes, content.attributes ?? {}),
    ])
    const began = process.hrtime.bigint()
    let reply = this.#exchange(message.type, flags, body)
    // the data changed during the dump, and entries may be missing: ask again
    while (reply.interrupted) reply = this.#exchange(message.type, flags, body)
    const ns = Number(process.hrtime.bigint() - began)

    const { errno, payloads } = reply
    const size = align(sizeOf(message.struct))
    if (errno) {
      this.log.push({ call: message.call, args, result: -1, errno: errnoName(errno), ns })
      const { NLMSGERR_ATTR_MSG: text, NLMSGERR_ATTR_OFFS: offset } = reply.extendedAck
      const culprit = offset && attributeAt(message.attributes, body.subarray(size), offset - HEADER - size)
      const reason = [text, culprit && `(${culprit})`].filter(Boolean).join(' ')
      throw new NetlinkError(message, args, errno, reason || null)
    }
    this.log.push({ call: message.call, args, result: payloads.length, errno: null, ns })
    return payloads.map(payload => ({
      struct: decodeStruct<M['struct']>(message.struct, payload),
      attributes: decodeAttributes<M['attributes']>(message.attributes, payload.subarray(size)),
    }))
  }

  /** Sends a request and reads messages until the end of the answer. The kernel processes the request within sendto(2). */
  #exchange(type: number, flags: number, body: Buffer): Reply {
    const header = {
      nlmsg_len: HEADER + body.length,
      nlmsg_type: type,
      nlmsg_flags: NLM_F_REQUEST | NLM_F_ACK | flags,
      nlmsg_seq: ++this.#sequence,
    }
    const request = Buffer.concat([encodeStruct(nlmsghdr, header), body])
    // With an address the kernel checks only our capabilities, without one also those with which the socket was opened
    // (net/netlink/af_netlink.c __netlink_ns_capable). A child that opened it inside a container's user namespace had
    // none outside: then even root could not move an interface from there to the host, or to another container.
    now.sendto(this.#open(), request, request.length, 0, kernel, kernel.length)

    const reply: Reply = { errno: 0, extendedAck: {}, payloads: [], interrupted: false }
    for (;;) {
      for (const { header, payload } of this.#receive()) {
        if (header.nlmsg_seq !== this.#sequence) continue // the rest of an answer that was not read to its end
        if (header.nlmsg_flags & NLM_F_DUMP_INTR) reply.interrupted = true
        const last = header.nlmsg_type === NLMSG_ERROR || header.nlmsg_type === NLMSG_DONE
        if (!last) {
          reply.payloads.push(payload)
          continue
        }
        // both start with 0 or a negative errno; only an error repeats the request's header before the attributes
        const attributes = header.nlmsg_type === NLMSG_ERROR ? ACK_ATTRIBUTES : 4
        reply.errno = -payload.readInt32LE()
        reply.extendedAck = decodeAttributes(ackAttributes, payload.subarray(attributes))
        return reply
      }
    }
  }

  /** One datagram, which contains one or more messages. */
  #receive(): { header: StructOf<typeof nlmsghdr>; payload: Buffer }[] {
    const buffer = (this.#received ??= Buffer.allocUnsafeSlow(RECEIVE))
    const end = now.recvfrom(this.#fd, buffer, RECEIVE, 0, null, null)
    const messages = []
    for (let at = 0; at + HEADER <= end;) {
      const header = decodeStruct(nlmsghdr, buffer.subarray(at))
      messages.push({ header, payload: Buffer.from(buffer.subarray(at + HEADER, at + header.nlmsg_len)) })
      at += align(header.nlmsg_len)
    }
    return messages
  }
}
