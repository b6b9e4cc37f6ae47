import type { Wiring } from '../../chapters/6-network/wiring.ts'
import { planNetwork } from '../../lib/container/net/network-plan.ts'
import type { Container, Part } from '../../lib/container/part.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import { inWords, type Refusal, refusalOf } from '../../lib/guide/refusal.ts'
import type { Stage } from '../../lib/guide/step.ts'
import { openRtnetlink, type Rtnetlink } from '../../lib/kernel/netlink/rtnetlink.ts'
import { meanwhile } from '../../lib/labs/cable.ts'
import { hostCalls } from '../../lib/labs/host-calls.ts'
import { addBridge } from './asked.ts'
import { closed, type Left, NOTHING_LEFT } from './closed.ts'

/** What happened to a cable to another bridge. */
interface Tried {
  refused?: Refusal | undefined // by the kernel, or what the part threw
  /** whether the kernel was asked to make the bridge */
  made: boolean
  /** whether the part listed the interfaces before another process made the bridge, and not again since then */
  askedBefore: boolean
  /** the bridge that the cable's end on the host is attached to */
  master?: string | undefined
}

const ADDRESS = '10.43.0.1/25' // an address that withCable never chooses

/**
 * Lets the learner's part make a cable for the container that had none, so no new container is needed. Once to a bridge that
 * exists already, as if another process had made it while the part waited for its turn; and once to a bridge that cannot be
 * made, because of the slash in its name.
 */
export function bridgesStage(part: Part, left: Left): Stage<Wiring> {
  const nothing: Tried = { made: false, askedBefore: false }
  const tried = { there: nothing, impossible: nothing }
  let open = NOTHING_LEFT
  const names = { there: '', impossible: '' }
  return {
    title: 'Other bridges',
    async act(experiment) {
      const box = experiment.boxes.find(({ pid }) => pid === experiment.scene.modes.none)
      if (!box) return
      Object.assign(names, { there: `mlb-${experiment.id}y`, impossible: `mlb-${experiment.id}/z` })
      using host = openRtnetlink()
      const plug = (bridge: string, first: () => void) =>
        plugIn(part, host, box.container, box.pid, bridge, first)
      tried.there = await plug(names.there, () => addBridge(experiment, names.there, [ADDRESS]))
      tried.impossible = await plug(names.impossible, () => {})
      open = { ...left }
    },
    checks: [
      {
        id: 'bridge-there',
        claim: 'a bridge that another process has made is used as it is',
        look() {
          const { refused, master, askedBefore } = tried.there
          return finding(
            !refused && master === names.there,
            seen('RTM_GETLINK (IFLA_MASTER)', master ?? 'none', null),
            !refused
              ? `The bridge was already there, and the cable is attached to ${master ?? 'none'}.`
              : refused.message.startsWith('RTM_NEWLINK(bridge')
                ? `The bridge was already there, made by another process: ${inWords(refused)}. Likeliest: ${
                    askedBefore
                      ? 'it was asked before withCable, and the bridge was made after that. Ask in the function that withCable calls.'
                      : 'the part remembers which bridges it has made, or asked something that does not list all interfaces: os.networkInterfaces leaves out interfaces without a carrier. The kernel knows them all.'
                  }`
                : `A cable to an existing bridge could not be made: ${inWords(refused)}.`,
          )
        },
      },
      {
        id: 'bridge-refused',
        claim: 'if the bridge cannot be made, the part fails',
        look() {
          const { refused, made } = tried.impossible
          const answer = refused?.message ?? 'no error'
          return finding(
            // without the bridge, what comes after it fails by ENODEV
            refused !== undefined && !answer.includes('ENODEV'),
            seen(`RTM_NEWLINK (${names.impossible})`, answer, null),
            made
              ? `The kernel refused to make a bridge, but the part went on. Then came: ${answer}. Likeliest: the error was caught and dropped; a catch must rethrow what it does not expect.`
              : `Another bridge was asked for, but the part did not make it. Then came: ${answer}. Likeliest: a variable remembers that a bridge was made once. Ask the kernel which bridges there are.`,
          )
        },
      },
      closed(
        'closed-anyway',
        'if the part fails, it closes what it has opened',
        () => open,
        '`close` is not called if something before it throws: it belongs in `finally`.',
      ),
    ],
  }
}

/** Lets the part make one cable, looks at it, and removes it. */
async function plugIn(
  part: Part,
  host: Rtnetlink,
  container: Container,
  pid: number,
  bridge: string,
  first: () => void,
): Promise<Tried> {
  const tried: Container = { ...container, network: planNetwork('bridge', bridge) }
  const before = hostCalls.length
  let turn = before
  let refused: Refusal | undefined
  meanwhile.act = () => {
    first()
    turn = hostCalls.length
  }
  try {
    await part.attach?.(tried, pid)
  } catch (error) {
    refused = refusalOf(error)
    if (!refused) throw error
  }
  delete meanwhile.act // if it never called withCable
  const calls = hostCalls.slice(before)
  const asks = (some: typeof calls) => some.some(({ call }) => call === 'RTM_GETLINK')
  const links = host.links()
  const end = links.find(({ name }) => name === tried.cable?.hostLink)
  if (end) host.delete(end.name)
  return {
    refused,
    askedBefore: asks(hostCalls.slice(before, turn)) && !asks(hostCalls.slice(turn)),
    made: calls.some(({ call, args }) => call === 'RTM_NEWLINK' && args.startsWith('bridge')),
    master: links.find(({ index }) => index === end?.master)?.name,
  }
}
