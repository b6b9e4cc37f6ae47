import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { Cgroup } from '../../lib/kernel/cgroup/cgroup.ts'
import { readCgroup } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { planCgroup } from '../../lib/kernel/cgroup/make-cgroup.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { namespaceInode, NAMESPACES, parentOf } from '../../lib/kernel/process/procfs.ts'
import type { Link } from '../../lib/kernel/netlink/link.ts'
import { type Address, openRtnetlink, openRtnetlinkIn } from '../../lib/kernel/netlink/rtnetlink.ts'
import type { Ran } from './commands.ts'

/** Checks of what the earlier chapters taught, all in this one container. */

/** The container's end of its cable. */
async function eth0(pid: number): Promise<{ address: Address | undefined; link: Link | undefined }> {
  using net = await openRtnetlinkIn(pid)
  return {
    address: net.addresses().find(({ dev, address }) => dev === 'eth0' && !address.includes(':')),
    link: net.links().find(({ name }) => name === 'eth0'),
  }
}

function whyNoNetwork(pid: number, link: Link | undefined): string | undefined {
  if (namespaceInode(pid, 'net') === namespaceInode('self', 'net'))
    return "It is in the host's own network namespace. Likeliest: CLONE_NEWNET is missing."
  return link
    ? undefined
    : 'There is no eth0. Likeliest: the network part is missing, or the veth end was left on the host.'
}

export const whole = {
  namespaces: {
    id: 'namespaces',
    claim: 'it has its own eight namespaces',
    look({ pid }) {
      const kinds = NAMESPACES.filter(kind => namespaceInode('self', kind) !== null)
      const differ = kinds.filter(kind => namespaceInode(pid, kind) !== namespaceInode('self', kind))
      const isForeign = parentOf(pid) !== process.pid
      if (
        isForeign &&
        kinds.every(kind => kind === 'time' || differ.includes(kind)) &&
        !differ.includes('time')
      )
        return notHere('it has seven: this version of the runtime makes no time namespaces')
      return finding(
        differ.length === kinds.length,
        seen(`/proc/${pid}/ns`, null, differ.join(' ')),
        `Shared with the host: ${kinds.filter(kind => !differ.includes(kind)).join(' ')}. Likeliest: a flag is missing from clone3 (CLONE_NEW…).`,
      )
    },
  },

  layers: {
    id: 'layers',
    claim: 'its root is an overlay that the host does not have',
    look({ pid }) {
      const top = mountinfo(pid).find(m => m.target === '/')
      const onHost = mountinfo().some(m => m.type === 'overlay' && m.device === top?.device)
      return finding(
        top?.type === 'overlay' && !onHost,
        seen(`/proc/${pid}/mountinfo (/)`, onHost ? 'there too' : 'absent', top?.type ?? 'none'),
        onHost
          ? 'The host has it mounted, too. Likeliest: it was mounted before the clone, and stays when the container is gone.'
          : 'Its root is a plain directory. Likeliest: the layers part is missing, and what it writes goes into the image.',
      )
    },
  },

  limits: {
    id: 'limits',
    claim: 'its memory is limited',
    look({ pid, memory }) {
      const limit = readCgroup(pid, 'memoryLimit')
      const ours = readCgroup(process.pid, 'memoryLimit')
      const planned = planCgroup('/minilab', ['memory', 'cpu', 'pids'])
      if (!limit || !(planned instanceof Cgroup))
        return notHere('it cannot have its own cgroup here: step 4 says why, and what would help')
      return finding(
        limit.value === String(memory),
        seen(limit.source, ours?.value ?? null, limit.value),
        limit.source === ours?.source
          ? 'It is in the same cgroup as we are. Likeliest: its pid was never written to cgroup.procs.'
          : 'It is in its own cgroup, with another limit. Likeliest: our limit was written to another cgroup, or never.',
      )
    },
  },

  network: {
    id: 'network',
    claim: 'it has an eth0 with its own address',
    async look({ pid }) {
      const { address, link } = await eth0(pid)
      return finding(
        address !== undefined && link?.kind === 'veth' && link.running,
        seen(
          `rtnetlink in /proc/${pid}/ns/net`,
          null,
          `${link?.kind ?? 'no eth0'}, ${address?.address ?? 'no address'}`,
        ),
        whyNoNetwork(pid, link) ??
          (link?.up && !link.running
            ? 'eth0 is up, but has no carrier: the other end of its cable is down. Step 6 says why.'
            : 'eth0 is down, or has no address: step 6 says why.'),
      )
    },
  },

  isolated: {
    id: 'isolated',
    claim: 'it cannot reach the other containers on its bridge',
    async look({ pid }) {
      const { link } = await eth0(pid)
      using host = openRtnetlink()
      const end = host
        .links()
        .find(({ index, peerIndex }) => index === link?.peerIndex && peerIndex === link.index)
      const isolated = end !== undefined && host.isIsolated(end.name)
      return finding(
        isolated,
        seen(`RTM_GETLINK (IFLA_BRPORT_ISOLATED of ${end?.name ?? 'no interface'})`, isolated ? 1 : 0, null),
        whyNoNetwork(pid, link) ??
          "The bridge forwards everything between its ports. Likeliest: the port was never isolated, as in docker's networks.",
      )
    },
  },
} satisfies Record<string, Check<Ran>>
