import type { Roots } from '../../chapters/3-root/step.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'

/** A sysfs shows the interfaces of the network namespace in which it was mounted: sysfs(5). */
export const ownSys: Check<Roots> = {
  id: 'own-sys',
  claim: '/sys is a new sysfs, and read-only',
  look({ pid }) {
    const at = (who: number | 'self') => mountinfo(who).findLast(({ target }) => target === '/sys')
    const [host, container] = [at('self'), at(pid)]
    const isReadOnly = container?.options.includes('ro') ?? false
    return finding(
      container?.type === 'sysfs' && container.device !== host?.device && isReadOnly,
      seen(
        `/proc/${pid}/mountinfo (/sys)`,
        host?.device ?? 'none',
        container ? `${container.device} ${container.type}, ${container.options.join(',')}` : 'none',
      ),
      !container
        ? 'Nothing is mounted on /sys: programs find no devices there, and no network interfaces.'
        : container.type !== 'sysfs'
          ? `A ${container.type} is mounted on /sys, not a sysfs.`
          : container.device === host?.device
            ? "It is the host's /sys, bind-mounted, with the host's network interfaces: a new sysfs must be mounted inside."
            : 'It can be written to, and it configures the machine: mount it with MS_RDONLY.',
    )
  },
}
