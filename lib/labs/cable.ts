import { learnersError } from './problem.ts'
import { letThrough } from '../container/net/firewall.ts'
import { withNetworkLock } from '../container/ledger/lock.ts'
import { planCable, untilCarrier } from '../container/parts/network.ts'
import type { Container, Part } from '../container/part.ts'
import { MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from '../kernel/syscalls/constants.ts'
import { untilRunning } from '../kernel/netlink/link-events.ts'
import { now } from '../kernel/syscalls/now.ts'
import { namespaceInode } from '../kernel/process/procfs.ts'
import { openRtnetlink, openRtnetlinkIn, type Rtnetlink } from '../kernel/netlink/rtnetlink.ts'
import { SyscallError } from '../kernel/syscalls/syscall-error.ts'
import { given } from './host-calls.ts'

/** The names and addresses for one cable, which no other container has. */
export interface Cable {
  /** the name of the bridge, which may exist already */
  bridge: string
  /** its address with the prefix length: `10.44.0.1/24` */
  bridgeAddress: string
  /** the name of the cable's end that stays on the host */
  hostLink: string
  /** the container's address with the prefix length: `10.44.0.2/24` */
  address: string
  /** the bridge's address alone: `10.44.0.1` */
  gateway: string
}

/** Something to run before the next `withCable`, as if another process did it: a lab tests with it how the part reacts. */
export const meanwhile: { act?: (() => void) | undefined } = {}

/**
 * Chooses names and addresses for a container's cable, and calls `connect` to make it, while no other minilab changes links.
 * `connect` must not be async. Everything under these names is removed when the container has ended. `pid`: the container's
 * first process.
 */
export function withCable(container: Container, pid: number, connect: (cable: Cable) => void): void {
  const { network, ledger } = container
  if (network?.mode !== 'bridge')
    throw learnersError({
      what: `there is no cable to be made in mode ${network?.mode ?? 'host'}`,
      remedy: 'call withCable only where container.network.mode is "bridge"',
    })
  if (namespaceInode(pid, 'net') === namespaceInode('self', 'net'))
    throw learnersError({
      what: "the container is in the host's own network namespace: both ends of its cable would be on the host",
      remedy: 'its namespaces part needs CLONE_NEWNET: lab 2',
    })
  using host = openRtnetlink()
  withNetworkLock(() => {
    meanwhile.act?.()
    delete meanwhile.act
    container.cable = planCable(host, container, network)
    const { subnet, address, ...chosen } = container.cable
    const cable: Cable = { ...chosen, address: address + subnet.replace(/.*\//, '/') }
    for (const name of ['bridgeAddress', 'address', 'gateway'] as const) given.set(cable[name], name)
    refuseAsync(connect(cable))
    if (!linkOf(host, chosen.hostLink)) return
    host.setAlias(chosen.hostLink, address) // the register of used addresses: network.ts
    letThrough(ledger, chosen.bridge, address)
  })
}

/** Throws if `connect` is async: the lock ends with the call, so after an await others could change links. */
function refuseAsync(result: unknown): void {
  if (!(result instanceof Promise)) return
  result.catch(() => undefined) // its error does not matter, because it may not be async at all
  throw learnersError({
    what: 'the function that withCable was given is async, and withCable does not wait for it',
    remedy: 'write it without async and await: open your connections before withCable',
  })
}

/**
 * The part for a sandbox. A sysfs shows the links of the network namespace that it was mounted in, so the sandbox's /sys shows
 * the machine's. While the part works, a new sysfs is mounted on /sys, and `/sys/class/net` has the sandbox's links.
 */
export const inSandbox = (part: Part): Part =>
  untilConnected({
    ...part,
    async attach(container, pid) {
      const isMounted = mountSys()
      try {
        await part.attach?.(container, pid)
      } finally {
        if (isMounted) now.umount2('/sys', MNT_DETACH)
      }
    },
  })

/** Mounts it; returns whether that was possible. It is not where parts of /sys are covered, as in a container. */
function mountSys(): boolean {
  try {
    now.mount('sysfs', '/sys', 'sysfs', MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, null)
    return true
  } catch (error) {
    if (error instanceof SyscallError) return false
    throw error
  }
}

/**
 * The part, which then waits until its cable carries packets (untilRunning): that takes a moment after the links are up, and
 * only then can checks use it.
 */
export const untilConnected = (part: Part): Part => ({
  ...part,
  async attach(container, pid) {
    await part.attach?.(container, pid)
    if (!container.cable) return
    const { hostLink, bridge } = container.cable
    using inside = await openRtnetlinkIn(pid)
    using host = openRtnetlink()
    const far = linkOf(host, hostLink)
    if (!far?.up || !linkOf(inside, 'eth0')?.up) return
    const plugged = far.master !== null && linkOf(host, bridge)?.up
    untilRunning(host, plugged ? [hostLink, bridge] : [hostLink])
    await untilCarrier(pid)
  },
})

const linkOf = (net: Rtnetlink, name: string) => net.links().find(link => link.name === name)
