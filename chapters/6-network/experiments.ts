import { existsSync } from 'node:fs'
import { forwardFrom } from '../../lib/container/net/firewall.ts'
import type { Nat, NatRules } from '../../lib/container/net/nat.ts'
import { planNetwork, shareHostNetwork } from '../../lib/container/net/network-plan.ts'
import type { Plan } from '../../lib/container/part.ts'
import type { Box } from '../../lib/guide/box.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import { openRtnetlinkIn } from '../../lib/kernel/netlink/rtnetlink.ts'
import { forwardingKnob } from './fault.ts'
import { makeOutside } from './outside.ts'
import { bothEnds, cableOf, type End, packets } from './readings.ts'
import { converse, exchange, type Place } from './sockets.ts'
import type { Counted, Exchange, Wiring } from './wiring.ts'

/** The actions of the stages. Mutants change the arguments. */

export const DATAGRAMS = 20
export const host: Place = { pid: process.pid, name: 'the host' }

/** A place to open sockets for a container, with the name to show. */
export const place = (box: Box | undefined, name: string) => ({
  pid: box?.pid ?? 0,
  name,
  address: box?.container.cable?.address,
})

/** Sends a datagram to the loopback address, sets the loopback interface of process `whose` up, then sends more. */
export async function loopback(experiment: Experiment<Wiring>, whose: number): Promise<void> {
  const itself = { pid: experiment.scene.bare, name: 'a container without a network', address: '127.0.0.1' }
  const down = await exchange(experiment, itself, itself, 1)
  using net = await openRtnetlinkIn(whose)
  try {
    net.setUp('lo')
  } finally {
    experiment.requests('a netlink request in its network namespace', net.log)
  }
  const before = packets({ pid: itself.pid, link: 'lo' })
  experiment.scene.loopback = { down, before, up: await exchange(experiment, itself, itself, DATAGRAMS) }
}

type Cable = [End, End]

/** The two ends of each container's cable. */
export async function cables(...pids: number[]): Promise<Cable[]> {
  const all = await Promise.all(
    pids.map(async (pid): Promise<Cable[]> => {
      const { far } = await cableOf(pid, host.pid)
      return far
        ? [
            [
              { pid: host.pid, link: far.name },
              { pid, link: 'eth0' },
            ],
          ]
        : []
    }),
  )
  return all.flat()
}

/** Runs a task, and returns with its result the counters of the cables from before. */
export async function counted(pairs: Cable[], task: () => Promise<Exchange>): Promise<Counted> {
  const before = pairs.map(pair => ({ ends: pair, before: bothEnds(...pair) }))
  return { ...(await task()), cables: before }
}

/** Sends from the first container to a second one. */
export async function sendToSecond(
  experiment: Experiment<Wiring>,
  pid: number,
  address: string | undefined,
): Promise<void> {
  experiment.scene.second = pid
  const from = place(experiment.box, 'the first container')
  const to = { pid, name: 'the second container', address }
  experiment.scene.exchanges.withSecond = await counted(await cables(from.pid, pid), () =>
    exchange(experiment, from, to, DATAGRAMS),
  )
}

/** A machine outside, and the host as a router for packets that arrive on the chosen interfaces; the container sends one datagram. */
export async function beARouter(
  experiment: Experiment<Wiring>,
  choose: (bridge: string, out: string) => string[],
): Promise<void> {
  const { scene } = experiment
  const made = await makeOutside(experiment)
  const links = choose(scene.bridge, made.hostLink)
  for (const link of links.filter(name => existsSync(forwardingKnob(name))))
    forwardFrom(experiment.ledger, link)
  scene.outside = made
  const outside = { ...made, name: 'the machine outside' }
  scene.unanswered = await exchange(experiment, place(experiment.box, 'the container'), outside, 1)
}

/** Gives the host rules; then a connection from outside to the published port, and a datagram to the outside. */
export async function translate(
  experiment: Experiment<Wiring>,
  give: (right: Nat) => NatRules,
): Promise<void> {
  const { scene } = experiment
  const inside = place(experiment.box, 'the container')
  const outside = { ...scene.outside, name: 'the machine outside' }
  if (!outside.pid)
    experiment.limit('there is no machine outside, because the host may not route', 'see the stage before')
  const { subnet } = experiment.box?.container.cable ?? {}
  if (inside.address === undefined || subnet === undefined) return
  scene.published.at.address = outside.hostAddress
  scene.published.to.address = inside.address
  const { at, to } = scene.published
  const { tool, text, list } = give({
    publish: [{ at, to }],
    masquerade: [{ from: subnet, out: outside.hostLink }],
  })
  scene.rules = list
  experiment.block(`rules for ${tool}`, text)
  scene.conversation = await converse(experiment, outside, at, { ...inside, port: to.port })
  scene.masqueraded = await exchange(experiment, inside, outside, 1)
}

/** The changes to a container's description for the other two modes. */
export const MODES = {
  none(container: Plan) {
    container.network = planNetwork('none')
  },
  host(container: Plan) {
    container.network = planNetwork('host')
    shareHostNetwork(container.spec)
  },
}

/** Starts a container in each of them, beside the step's own. */
export async function eachMode(experiment: Experiment<Wiring>, modes: typeof MODES): Promise<void> {
  const none = await experiment.another('a container in mode none', { change: modes.none })
  const shared = await experiment.another('a container in mode host', { change: modes.host })
  experiment.scene.modes = { none: none.pid, host: shared.pid, bridge: experiment.scene.pid }
}
