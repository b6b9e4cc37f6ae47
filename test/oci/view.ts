// What a container looks like from inside: a shell script that runs as its program, and what it prints, field by field.

/** Each section begins with a line `== NAME`; each of its lines is a field, or one with a name before the first `|`. */
export const PROBE = `
say() { echo "== $1"; }
say env; env | sed 's/=/|/'
say ids; id; pwd; umask; hostname; cat /proc/sys/kernel/domainname
say status; grep -vE '^(Vm|Rss|Pid|Tgid|PPid|Ngid|NSpid|NStgid|NSpgid|NSsid|voluntary|nonvoluntary|SigQ|HugetlbPages|Name|State|FDSize|x86_|Threads|SigPnd|ShdPnd|Core|THP|untag|SigCgt)' /proc/self/status | sed 's/:\\t */|/; s/[ \\t]*$//'
say limits; sed 1d /proc/self/limits | sed 's/  \\+/|/'
say process; for name in oom_score_adj timens_offsets uid_map gid_map setgroups loginuid coredump_filter personality; do echo "$name|"$(cat /proc/self/$name 2>&1); done
echo "session|"$(cut -d' ' -f 6 /proc/$$/stat | sed "s/^$$\\$/own/"); echo "tty|"$(cut -d' ' -f 7 /proc/$$/stat); echo "nice|"$(cut -d' ' -f 19 /proc/$$/stat); echo "policy|"$(cut -d' ' -f 41 /proc/$$/stat); echo "io|"$(ionice -p $$)
say files; for fd in /proc/$$/fd/*; do echo "$\{fd##*/}|"$(readlink $fd | sed 's/:.*//'); done
say namespaces; for kind in cgroup ipc mnt net pid time user uts; do echo "$kind|"$(readlink /proc/self/ns/$kind); done
say cgroup; sed 's/^[0-9]*://; s/:/|/' /proc/self/cgroup
say mounts; cat /proc/self/mountinfo
say dev; find /dev | while read path; do echo "$path|"$(stat -c '%F %a %u:%g %t:%T' $path)" "$(readlink $path); done
say root; for path in /*; do echo "$path|"$(stat -c '%F %a %u:%g' $path); done
say net; ip -o addr | sed 's/^[0-9]*: *//; s/ \\+/|/'
say sysctl; for name in net/ipv4/ip_forward net/core/somaxconn kernel/shmmax kernel/msgmax fs/mqueue/msg_max; do echo "$name|"$(cat /proc/sys/$name 2>&1); done
say limited; for file in memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes memory/memory.swappiness memory/memory.oom_control cpu/cpu.shares cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu/cpu.cfs_burst_us cpu/cpu.idle cpuset/cpuset.cpus cpuset/cpuset.mems pids/pids.max devices/devices.list blkio/blkio.throttle.read_bps_device blkio/blkio.throttle.write_iops_device; do [ ! -e /sys/fs/cgroup/$file ] || sed "s#^#$file|#" /sys/fs/cgroup/$file | sort; done
say reach; for path in /proc/kcore /proc/keys /proc/timer_list /sys/firmware /real/file /folder; do echo "$path|"$(head -c 20 $path 2>&1 | tr -c '[:print:]' .)$(ls $path 2>&1 | head -3); done
echo x 2>&1 >/proc/sysrq-trigger | sed 's#^#sysrq|#'; { touch /x && rm /x; } 2>&1 | sed 's#^#write|#'; mknod /tmp/n c 1 1 2>&1 | sed 's#^#mknod|#'; rm -f /tmp/n; mount -t tmpfs none /tmp 2>&1 | sed 's#^#mount|#'; unshare -U true 2>&1 | sed 's#^#unshare|#'
`.replaceAll('$\\{', '${')

/** The fields by `section name`; one without a name is numbered. A mount is called by its place, and has its parent's place in its value. */
export function fieldsOf(printed: string): Map<string, string> {
  const fields = new Map<string, string>()
  const put = (name: string, value: string) => {
    for (let i = 1, key = name; ; key = `${name} (${++i})`) {
      if (fields.has(key)) continue
      fields.set(key, value)
      return
    }
  }
  for (const section of printed.split(/^== /m).slice(1)) {
    const [name = '', ...lines] = section.trimEnd().split('\n')
    if (name === 'mounts') mountFields(lines).forEach(([place, value]) => put(`mount ${place}`, value))
    else
      for (const line of lines) {
        const [, key, value] = /^([^|]*)\|(.*)$/.exec(line) ?? ['', '', line]
        put(`${name} ${key}`.trimEnd(), value ?? '')
      }
  }
  return fields
}

/** proc_pid_mountinfo(5): ids differ from run to run, and so do the numbers of file systems without a device. */
function mountFields(lines: string[]): [place: string, value: string][] {
  const rows = lines.map(line => {
    const [before = '', after = ''] = line.split(' - ')
    const [id = '', parent = '', device = '', root = '', place = '', options = '', ...tags] =
      before.split(' ')
    const [type = '', source = '', superOptions = ''] = after.split(' ')
    return {
      id,
      parent,
      device: device.startsWith('0:') ? '' : device,
      root,
      place,
      options,
      tags,
      type,
      source,
      superOptions,
    }
  })
  const places = new Map(rows.map(({ id, place }) => [id, place]))
  return rows.map(({ parent, device, root, place, options, tags, type, source, superOptions }) => [
    place,
    [
      type,
      `source=${source}`,
      `root=${root}`,
      options,
      `super=${type === 'ext4' || type === 'overlay' ? '' : superOptions}`,
      `on=${places.get(parent) ?? 'none'}`,
      `tags=${tags.map(tag => tag.replace(/:.*/, '')).join(',')}`,
      device,
    ].join(' '),
  ])
}
