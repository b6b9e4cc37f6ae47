const flags = (names: string) => names.split(/\s+/).map(name => `--${name}`)

/** The long flags of other tools that the book may name. Look into the tool's manual before you add one. */
export const FLAGS: Record<string, readonly string[]> = {
  docker: flags(`blkio-weight cap-add cap-drop cpu-shares cpus device device-write-bps format hostname
    init ipv6 memory memory-reservation memory-swap network no-trunc oom-kill-disable pid pids-limit privileged
    publish read-only rm runtime security-opt tmpfs user userns volume`),
  runc: flags('bundle console-socket log log-format no-new-keyring no-pivot preserve-fds rootless'),
  crun: flags('bundle console-socket no-pivot'),
  unshare:
    flags(`boottime cgroup fork ipc kill-child map-auto map-root-user map-users monotonic mount mount-proc net pid
    propagation root setuid time user uts`),
  nsenter: flags('all cgroup ipc mount net pid preserve-credentials target time user uts'),
  mount: flags(
    'bind make-private make-rprivate make-rslave make-shared make-slave make-unbindable move rbind',
  ),
  tar: flags('list numeric-owner verbose xattrs'),
  'systemd-run': flags('pipe pty scope user'),
}
