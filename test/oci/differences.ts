// What a container sees differently under minilab-oci than under runc 1.1.5, and why that is right: same-view.test.ts.

interface Difference {
  /** the field, and its values */
  field: RegExp
  runc: RegExp
  ours: RegExp
  /** the cases in which it may occur, if not in all */
  only?: string[]
  why: string
}

const IN_USER_NAMESPACE = ['a user namespace', 'a user namespace, another user']
const NONE = /^\(none\)$/

export const DIFFERENCES: Difference[] = [
  {
    field: /^files [012]$/,
    runc: /^pipe$/,
    ours: /^(\/dev\/null|socket)$/,
    why: "`runc run` copies through pipes. Here the program has the descriptors of the caller, with the container's own /dev/null, as with `create` of both",
  },
  {
    field: /^mount \/proc\/(sys|bus|fs|irq)$/,
    runc: / ro,relatime /,
    ours: / ro,nosuid,nodev,noexec,relatime /,
    why: 'stricter: a read-only path of the kernel gets the three flags, which no file there needs to lack',
  },
  {
    field: /^mount \/sys\/fs\/cgroup$/,
    runc: /^tmpfs .* rw,/,
    ours: /^tmpfs .* ro,/,
    why: 'the spec says ro: on cgroup v1 runc leaves the tmpfs around the hierarchies writable',
  },
  {
    field: /^mount \/(proc\/acpi|sys\/firmware|folder)$/,
    runc: / super=ro(,uid|$| )/,
    ours: / super=ro,size=0k/,
    why: 'the tmpfs that masks a directory can hold nothing, read-only or not',
  },
  {
    field: /^mount \/sys\/fs\/cgroup\/unified$/,
    runc: NONE,
    ours: /^cgroup2 .* root=\/minilab-oci-\w+\/\d+ ro,|^cgroup2 .* root=\/ ro,/,
    why: 'on a hybrid machine the process is in a cgroup of the v2 hierarchy, too, and can look at it',
  },
  {
    field: /^mount (\/dev\/(null|zero|full|random|urandom|tty)|\/proc\/(keys|timer_list))$/,
    runc: / rw,relatime /,
    ours: / ro,relatime /,
    only: IN_USER_NAMESPACE,
    why: 'a device that the host lends can be used, but its owner and mode cannot be changed: a read-only mount forbids that',
  },
  {
    field: /^dev \/dev\/mqueue$/,
    runc: / 0:65534 /,
    ours: / 65534:65534 /,
    only: IN_USER_NAMESPACE,
    why: 'the file system belongs to the maker of the ipc namespace: here clone3 makes it, before any user is mapped. Its mode, 1777, is for all',
  },
  {
    field: /^mount \/real\/file$/,
    runc: /^tmpfs .*root=\/null rw,/,
    ours: /^devtmpfs .*root=\/null ro,/,
    only: ['masked paths of the image'],
    why: "a file of the image is masked by the /dev/null of the host: the one in the image's /dev may be a link (CVE-2025-31133)",
  },
  {
    field: /^ids \(5\)$/,
    runc: NONE,
    ours: /^example\.org$/,
    only: ['host and domain name'],
    why: 'runc 1.1 does not know domainname, which came with version 1.1.0 of the specification',
  },
  {
    field: /^root \/mnt$/,
    runc: / 755 /,
    ours: / 700 /,
    only: ['a tmpfs'],
    why: 'the option mode= says so: runc 1.1 gives a new tmpfs the mode of the directory below in any case',
  },
  {
    field: /^mount \/(mnt|made\/tmp)$/,
    runc: /^tmpfs .* super=rw(,size=1024k)? /,
    ours: /^tmpfs .* super=rw(,size=1024k)?,mode=755 /,
    only: ['a tmpfs without a mode', 'a tmpfs at a place that is not there'],
    why: 'a tmpfs without mode= gets the mode of the directory below: here by that option, with runc by chmod',
  },
  {
    field: /^env HOME$/,
    runc: /^$/,
    ours: /^\/root$/,
    only: ['a file as a volume'],
    why: 'HOME comes from /etc/passwd of the image; runc reads it when a volume covers that. Engines set HOME themselves',
  },
  {
    field: /^mount \/sys\/fs\/cgroup\/\w+$/,
    runc: / tags= /,
    ours: / tags=shared /,
    only: ['a shared root'],
    why: 'in a shared root they are shared, as all other mounts are, with both',
  },
  {
    field: /^mount \/$/,
    runc: / tags= /,
    ours: / tags=shared /,
    only: ['a shared root'],
    why: 'rootfsPropagation is that of the root: crun 1.8.1 makes it so, runc 1.1 leaves the root private and shares what is below',
  },
]
