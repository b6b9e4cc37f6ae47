import type { Experiment } from '../../lib/guide/experiment.ts'
import { MS_NODEV } from '../../lib/kernel/syscalls/constants.ts'
import type { Namespace } from '../../lib/kernel/process/procfs.ts'
import { openRtnetlinkIn } from '../../lib/kernel/netlink/rtnetlink.ts'
import type { Made } from './step.ts'

const IPC_CREAT = 0o1000

/**
 * A visitor joins the container and makes things there. If the kernel refuses one of them, the visitor still makes the
 * others: the checks look at which exist, and where.
 */
export async function leaveThings(
  experiment: Experiment<Made>,
  kinds: readonly Namespace[] = ['user', 'mnt', 'uts', 'ipc'],
): Promise<void> {
  const { hostname, queueKey, mountSource, link, pid } = experiment.scene
  await experiment.inside(
    'a visitor renames the machine and makes a queue and a mount',
    kinds,
    ({ attempt }) => {
      attempt.sethostname(hostname, hostname.length)
      attempt.msgget(queueKey, IPC_CREAT | 0o600)
      attempt.mount(mountSource, '/run', 'tmpfs', MS_NODEV, 'size=64k')
    },
  )
  using network = await openRtnetlinkIn(pid)
  try {
    network.addVeth(link, `${link}-peer`)
  } finally {
    experiment.requests('a netlink request in its network namespace', network.log)
  }
}
