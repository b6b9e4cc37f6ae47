import { randomInt } from 'node:crypto'
import { sharing } from '../../chapters/6-network/fault.ts'
import { ask, cableOf, eth0, find, ipv4, linksOf, plain } from '../../chapters/6-network/readings.ts'
import type { Wiring } from '../../chapters/6-network/wiring.ts'
import { currentNetns } from '../../lib/container/ledger/ledger.ts'
import type { Cable } from '../../lib/container/net/network-plan.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import type { Check, Scene, Stage } from '../../lib/guide/step.ts'
import { openRtnetlink } from '../../lib/kernel/netlink/rtnetlink.ts'
import { explained } from './explained.ts'

/** What the container should have: the addresses that withCable chose, and the bridge as it was first made. */
export interface Asked {
  cable?: Cable | undefined
  bridge?: number | undefined
}

/** Makes one of the lab's bridges; it is up if it has addresses. */
export function addBridge(experiment: Experiment<Wiring>, name: string, addresses: readonly string[]): void {
  using host = openRtnetlink()
  experiment.ledger.add({ kind: 'link', name, netns: currentNetns() })
  host.addBridge(name)
  for (const address of addresses) host.addAddress(name, address)
  if (addresses.length > 0) host.setUp(name)
}

/** Many hosts have an eth0, and another program's bridge. Here one interface is both: every kernel that runs this lab has bridges. */
export const otherEth0 = (experiment: Experiment<Wiring>): void => addBridge(experiment, 'eth0', [])

/** A network for the bridge, different each time; its length is never that of the examples. */
export function newSubnet(): string {
  const lengths = [20, 21, 22, 23, 25]
  return `10.${randomInt(50, 250)}.${16 * randomInt(16)}.0/${lengths[randomInt(lengths.length)]}`
}

/** The first container's stage, with checks of what was asked for after the step's own. */
export const firstStage = (stage: Stage<Wiring>, asked: Asked): Stage<Wiring> => ({
  ...stage,
  async act(experiment) {
    await stage.act?.(experiment)
    asked.cable = experiment.box?.container.cable
    asked.bridge = find(await linksOf(process.pid), experiment.scene.bridge)?.index
  },
  checks: [
    ...(stage.checks ?? []),
    loopbackToo,
    hostEnd(asked),
    addressed('bridge-address', asked, 'bridgeAddress', async ({ host, bridge }) =>
      ipv4(await ask(host, net => net.addresses()), bridge),
    ),
    addressed('address-asked', asked, 'address', ({ pid }) => eth0(pid)),
  ],
})

const loopbackToo: Check<Wiring> = {
  id: 'loopback-too',
  claim: 'a container with a cable has its loopback interface up, too',
  async look({ pid }) {
    const isUp = find(await linksOf(pid), 'lo')?.up === true
    return finding(
      isUp,
      seen(`RTM_GETLINK in ${pid} (lo)`, null, isUp ? 'up' : 'down'),
      'lo is down in the container that has a cable. Likeliest: it is set up in mode none only.',
    )
  },
}

/** minilab knows the cable by the name of its end on the host. */
const hostEnd = (asked: Asked): Check<Wiring> => ({
  id: 'host-end',
  claim: "the host's end of the cable is called `hostLink`",
  async look({ pid, host }) {
    const { far } = await cableOf(pid, host)
    const wanted = asked.cable?.hostLink ?? 'none'
    return finding(
      far?.name === wanted,
      seen('RTM_GETLINK (the other end of eth0)', far?.name ?? 'none', null),
      far
        ? `The host's end is called ${far.name}, and \`hostLink\` is ${wanted}: so minilab does not know this cable, and does not delete it.`
        : 'No interface of the host is the other end of eth0.',
    )
  },
})

/** An interface has the address that withCable has chosen for it. */
function addressed(
  id: string,
  asked: Asked,
  name: 'bridgeAddress' | 'address',
  read: (scene: Scene & Wiring) => Promise<string>,
): Check<Wiring> {
  return {
    id,
    claim: `\`${name}\` is where it belongs, with the length of its network`,
    async look(scene) {
      const [link, key] =
        name === 'address' ? (['eth0', 'address'] as const) : ([scene.bridge, 'gateway'] as const)
      const chosen = asked.cable?.[key]
      const wanted = `${chosen}${asked.cable?.subnet.replace(/.*\//, '/')}`
      const got = await read(scene)
      return finding(
        got === wanted,
        seen(`RTM_GETADDR (${link})`, null, got),
        got === 'none'
          ? `${link} has no address.${name === 'address' ? '' : ' So the host itself is not on the network of its bridge.'}`
          : chosen === undefined
            ? `${link} has ${got}, and withCable was never called: it chooses the addresses.`
            : (otherLength(link, got, wanted) ??
              `${link} has ${got}, and \`${name}\` is ${wanted} this time. Likeliest: a fixed address was given.`),
      )
    },
  }
}

/** What to say if an address is right, and only the length of its network is wrong. */
function otherLength(link: string, got: string, wanted: string): string | undefined {
  if (plain(got) !== plain(wanted) || got === wanted) return undefined
  return `${link} has ${got}, and the length of its network is ${wanted.replace(/.*\//, '/')} this time. Likeliest: ${
    got.endsWith('/32')
      ? 'the address was given without its length'
      : 'the length was written down as a number'
  }.`
}

/** The checks of packets, which go to the address that was asked for. */
const TRAFFIC = /datagrams|counters|neighbour/

/** The stage, whose checks also recognize mistakes that the step does not look for. */
export const withCauses = (stage: Stage<Wiring>, asked: Asked): Stage<Wiring> => ({
  ...stage,
  checks: stage.checks?.map(check => explained(check, scene => cause(check.id, scene, asked))) ?? [],
})

/** Two interfaces on one bridge with the same hardware address: the bridge sends the frames for it to only one of them. */
async function sameMac({ pid, second, host, bridge }: Scene & Wiring): Promise<string | undefined> {
  const links = [
    { of: `the bridge ${bridge}`, link: find(await linksOf(host), bridge) },
    { of: 'eth0 of the first container', link: find(await linksOf(pid), 'eth0') },
    { of: 'eth0 of the second', link: second ? find(await linksOf(second), 'eth0') : undefined },
  ]
  const macOf = ({ link }: (typeof links)[number]) => link?.mac ?? undefined
  const twice = links.find(
    (one, i) => macOf(one) && links.findIndex(other => macOf(other) === macOf(one)) < i,
  )
  return (
    twice &&
    `These have the same hardware address, ${macOf(twice)}: ${links
      .filter(one => macOf(one) === macOf(twice))
      .map(({ of }) => of)
      .join(
        ' and ',
      )}. A bridge sends a frame to the one port of its address. Likeliest: setMac was given an address that is taken. The kernel chooses a different address for each interface.`
  )
}

async function cause(
  id: string,
  scene: Scene & Wiring,
  { cable, bridge: made }: Asked,
): Promise<string | undefined> {
  const { pid, host, bridge } = scene
  const inside = await linksOf(pid)
  const other = find(inside, 'eth0') ? undefined : inside.find(({ kind }) => kind === 'veth')
  if (other && !sharing(pid, host))
    return `The end in the container is called ${other.name}. It should be eth0.`
  const own = await eth0(pid)
  const length = cable && otherLength('eth0', own, `${cable.address}${cable.subnet.replace(/.*\//, '/')}`)
  if (id === 'address' && length) return length
  const outside = await linksOf(host)
  const ofHost = find(outside, 'eth0')
  if (id === 'cable' && find(inside, 'eth0')?.up === false && ofHost?.up)
    return "eth0 is down in the container, and the host's own eth0 was set up in its place. Likeliest: by `host`, which reaches only the host's interfaces."
  const routes = await ask(host, net => net.routes())
  if (id === 'default-route' && routes.some(({ to, via }) => to === 'default' && via === cable?.gateway))
    return `The host has a default route to ${cable?.gateway}, its own address. Likeliest: the route was added on the host, and not inside.`
  const ways = await ask(pid, net => net.routes())
  const way = ways.find(({ via }) => via !== undefined)
  if (id === 'default-route' && way && ways.every(({ to }) => to !== 'default'))
    return `There is a route to ${way.to}, and no default route. Likeliest: \`to\` names a network; \`default\` is all addresses.`
  const end = find(outside, cable?.hostLink ?? '')
  if (id === 'two-addresses' && end && !end.alias)
    return `${end.name} did not exist when your function returned to withCable, so its address counted as free. Likeliest: the cable was made after withCable.`
  if (!TRAFFIC.test(id)) return undefined
  const cause = await sameMac(scene)
  if (cause) return cause
  if (cable && own !== 'none' && plain(own) !== cable.address)
    return `The packets go to ${cable.address}, and eth0 has ${own}. Likeliest: it was given another address than \`address\`.`
  return made !== undefined && made !== find(outside, bridge)?.index
    ? `The bridge ${bridge} is not the first container's any more: it was taken away and made again. The first container's cable is attached to no bridge.`
    : undefined
}
