import { isKind, type MinilabError } from '../../lib/common/errors.ts'
import { learnersError } from '../../lib/labs/problem.ts'
import { find, ipv4 } from '../../chapters/6-network/readings.ts'
import type { Container, Part } from '../../lib/container/part.ts'
import type { Link } from '../../lib/kernel/netlink/link.ts'
import { openRtnetlink } from '../../lib/kernel/netlink/rtnetlink.ts'
import { hostCalls } from '../../lib/labs/host-calls.ts'

// What a refusal means for the author of this part.

/** What was refused, and the state of the host then. */
interface Refused {
  message: string
  bridge: string
  /** whether the part had listed the interfaces */
  asked: boolean
  /** the host's interfaces, and the address of its own eth0, `none` if it has none */
  links: Link[]
  address: string
  /** whether an interface was set up on the host, moved into the container, and not set up there */
  movedWhileUp: boolean
}

type Rule = readonly [fits: (of: Refused) => boolean | undefined, remedy: string]

/** The second end was made where an eth0 already exists; the name of the first is free. */
const isSecondEth0 = ({ message, links }: Refused) => {
  const [, first] = /RTM_NEWLINK\(veth "([^"]*)" peer "eth0".* = -1 EEXIST/.exec(message) ?? []
  return first !== undefined && !find(links, first)
}

const isMissingBridge = ({ message, bridge, links }: Refused) =>
  !find(links, bridge) && message.includes(`RTM_GETLINK(dev "${bridge}") = -1 ENODEV`)

/** An existing bridge is used, and not made again. */
const isMadeUnasked = ({ message, asked }: Refused) =>
  !asked && /^RTM_NEWLINK\(bridge .* = -1 EEXIST/.test(message)

const RULES: readonly Rule[] = [
  [
    isMadeUnasked,
    'addBridge is called although the bridge exists: ask `host.links()` first, and then only attach the cable',
  ],
  [
    ({ message, movedWhileUp }) => message.includes('ENETUNREACH') && movedWhileUp,
    'eth0 is down: it was set up on the host, and an interface that moves into another namespace goes down. Set it up inside, after the move',
  ],
  [
    isSecondEth0,
    'the host may have its own eth0: make the second end where `pid` is, or under a free name, and rename it',
  ],
  [
    of => isMissingBridge(of) && of.asked,
    'the bridge was not made: another bridge was taken for it. Look for an interface whose name is `bridge`',
  ],
  [isMissingBridge, 'the bridge was not made, or not yet: setMaster needs it'],
  [
    ({ message, links }) => message.includes('ENETUNREACH') && find(links, 'eth0')?.up,
    "the host's own eth0 was set up: `inside` reaches the container's",
  ],
  [
    ({ message, address }) => message.includes('ENETUNREACH') && address !== 'none',
    "the host's own eth0 was given the address: `inside` reaches the container's",
  ],
]

/** The part; if the kernel refuses a request, the remedy is this lab's. */
export const advised = (part: Part): Part => ({
  ...part,
  async attach(container, pid) {
    const before = hostCalls.length
    try {
      await part.attach?.(container, pid)
    } catch (error) {
      throw isKind(error, 'refused') ? withRemedy(error, container, before) : error
    }
  },
})

function movedWhileUp(calls: readonly string[]): boolean {
  const move = calls.findLastIndex(args => / netns /.test(args))
  const [name] = /^dev "[^"]*"/.exec(calls[move] ?? '') ?? []
  const isUp = (args: string) => args.endsWith(' up') && !args.startsWith('dev "lo"')
  return name !== undefined && calls.slice(0, move).includes(`${name} up`) && !calls.slice(move).some(isUp)
}

function withRemedy(
  error: MinilabError<'refused'>,
  { network }: Container,
  before: number,
): MinilabError<'refused'> {
  const { message, at } = error
  using host = openRtnetlink()
  const of: Refused = {
    message,
    bridge: network?.bridge ?? '',
    asked: hostCalls.slice(before).some(({ call }) => call === 'RTM_GETLINK'),
    links: host.links(),
    address: ipv4(host.addresses(), 'eth0'),
    movedWhileUp: movedWhileUp(hostCalls.slice(before).map(({ args }) => args)),
  }
  const remedy = RULES.find(([fits]) => fits(of))?.[1]
  return remedy === undefined ? error : learnersError({ what: message, ...(at && { at }), remedy })
}
