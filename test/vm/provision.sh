#!/bin/sh
# What makes a Debian ours. mmdebstrap runs it as a hook, with the new root as its first argument.
set -eu
root=$1 here=$(dirname "$0")

chroot "$root" useradd --create-home --shell /bin/bash --groups sudo learner
echo 'learner ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/learner"
echo minilab-vm >"$root/etc/hostname"
echo '127.0.0.1 localhost minilab-vm' >"$root/etc/hosts"

# the checkout and its node_modules are disks of their own: both change more often than the system
mkdir "$root/minilab"
cat >"$root/etc/fstab" <<END
LABEL=checkout /minilab ext4 defaults 0 0
LABEL=modules /minilab/node_modules ext4 defaults 0 0
END

# a guest that is emulated on a busy host may need more than systemd's 90 seconds
mkdir -p "$root/etc/systemd/system.conf.d"
printf '[Manager]\nDefaultTimeoutStartSec=10min\nDefaultDeviceTimeoutSec=10min\n' >"$root/etc/systemd/system.conf.d/slow.conf"

cp "$here/minilab-guest.service" "$root/etc/systemd/system/"
# emulated, each unit costs a second
chroot "$root" systemctl --quiet enable minilab-guest.service
chroot "$root" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
  e2scrub_reap.service fstrim.timer getty@tty1.service serial-getty@.service systemd-pstore.service \
  systemd-update-utmp.service systemd-update-utmp-runlevel.service modprobe@drm.service modprobe@efi_pstore.service
