#!/bin/sh
# Makes FOLDER/image.ext4, FOLDER/kernel and FOLDER/initrd from Debian packages; FOLDER/sources.list says where those are.
#   build-image.sh DEBIAN_ARCH FOLDER [INTERPRETER]
# INTERPRETER is qemu-user's name for a foreign architecture that this kernel does not know how to run.
# Runs as root, or as root of a user namespace.
set -eu
arch=$1 folder=$2 interpreter=${3-} here=$(dirname "$(readlink -f "$0")")
root=$folder/root

if [ -n "$interpreter" ]; then
  # since Linux 6.7 a user namespace has a binfmt_misc of its own: this one ends with us, and the machine's stays as it is
  mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
  tr -d '\n' <"/usr/lib/binfmt.d/qemu-$interpreter.conf" >/proc/sys/fs/binfmt_misc/register
fi

# systemd and dbus-user-session: `systemd-run --user --scope`; libpam-systemd: a session for each login
mmdebstrap --quiet --arch="$arch" --variant=minbase --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --include=systemd,systemd-sysv,udev,kmod,dbus,dbus-user-session,libpam-systemd,sudo,uidmap \
  --include=iproute2,nftables,iptables,busybox-static,procps,strace,runc,binutils \
  --include="initramfs-tools,linux-image-cloud-$arch" \
  --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"
    printf "MODULES=list\nBUSYBOX=n\nCOMPRESS=gzip\n" >"$1/etc/initramfs-tools/conf.d/vm"
    printf "virtio_pci\nvirtio_blk\next4\n" >"$1/etc/initramfs-tools/modules"' \
  --customize-hook="sh '$here/provision.sh' \"\$1\"" \
  '' "$root" "$folder/sources.list"

cp "$root"/boot/vmlinuz-* "$folder/kernel"
cp "$root"/boot/initrd.img-* "$folder/initrd"
chmod a+r "$folder/kernel" "$folder/initrd"
mke2fs -q -t ext4 -d "$root" "$folder/image.ext4" 2G
rm -rf "$root"
