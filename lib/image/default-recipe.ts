import type { ImageConfig } from './image.ts'
import type { Item } from './plan.ts'

// What the image "default" is made of. default.ts makes the image again when something here changes

export const CONFIG: ImageConfig = {
  Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
  Cmd: ['/bin/sh'],
  WorkingDir: '/',
}

/** Where distributions install busybox; it may be static or not. */
export const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox', '/usr/sbin/busybox', '/bin/busybox.static']

/** The host's programs that the default image takes, if they exist: those that the chapters use, and some for learners to explore. */
export const TOOLS = `
  sh bash ls cat ps ip mount umount hostname id env sleep dd mkdir rmdir rm touch ln find grep sed awk head tail wc sort
  uniq kill stat readlink realpath df du uname date expr seq chmod chown chgrp cp mv test [ printf echo true false tr cut
  tee od xargs yes pwd basename dirname nproc mknod mkfifo mktemp truncate sync tty stty timeout nice setsid chroot which
  whoami printenv sha256sum cmp diff top free pgrep pidof uptime sysctl mountpoint findmnt unshare nsenter setpriv capsh
  ipcs ipcmk ipcrm ss ping nc getent clear
`
  .trim()
  .split(/\s+/)

/** What every root file system has besides programs. /etc/hosts and its neighbours are only there to be mounted over. */
export const SKELETON: [path: string, item: Item][] = [
  ['/proc', { dir: 0o555 }],
  ['/sys', { dir: 0o555 }],
  ['/dev', { dir: 0o755 }],
  ['/run', { dir: 0o755 }],
  ['/mnt', { dir: 0o755 }],
  ['/home', { dir: 0o755 }],
  ['/root', { dir: 0o700 }],
  ['/tmp', { dir: 0o1777 }],
  ['/var/tmp', { dir: 0o1777 }],
  [
    '/etc/passwd',
    { text: 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n' },
  ],
  ['/etc/group', { text: 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' }],
  ['/etc/nsswitch.conf', { text: 'passwd: files\ngroup: files\nhosts: files dns\n' }],
  [
    '/etc/os-release',
    { text: 'NAME=minilab\nID=minilab\nPRETTY_NAME="minilab, from the programs of its host"\n' },
  ],
  ['/etc/hosts', { text: '127.0.0.1 localhost\n::1 localhost\n' }],
  ['/etc/hostname', { text: '' }],
  ['/etc/resolv.conf', { text: '' }],
]
