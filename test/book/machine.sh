# A sandbox for the book, so that what a command prints depends as little as can be on this machine and on what else runs on
# it. Started by record.sh, as root, in namespaces of its own: machine.sh FOLDER NAME HIERARCHIES CHECKOUT SECONDS COMMAND
set -eu
folder=$1 name=$2 hierarchies=$3 checkout=$4 seconds=$5 command=$6

# minilab is where a system would have it, as a copy that costs nothing; data and the home folder are new
mkdir -p "$folder/opt/minilab" "$folder/opt/bin" "$folder/upper" "$folder/work" "$folder/lib" "$folder/root" "$folder/cgroup"
mount -t overlay -o "lowerdir=$checkout,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/opt/minilab"
# an overlay does not show what is mounted below it
! mountpoint -q "$checkout/node_modules" || mount --bind "$checkout/node_modules" "$folder/opt/minilab/node_modules"
rm -rf "$folder/opt/minilab/mine" # a learner in this checkout has a workspace there
for node in "$folder"/opt/minilab/node_modules/node-linux-*/bin/node; do ln -s "${node#"$folder"}" "$folder/opt/bin/node"; done
printf '#!/bin/sh\nexec /opt/bin/node /opt/minilab/bin.mjs "$@"\n' >"$folder/opt/bin/minilab"
chmod +x "$folder/opt/bin/minilab"
# the whole hierarchy must not be mounted any more: so not simply one on the other
for at in $hierarchies; do
  mount --bind "$at/$name" "$folder/cgroup"
  umount -l "$at"
  mount --move "$folder/cgroup" "$at"
done
mount --rbind "$folder/opt" /opt
mount --bind "$folder/lib" /var/lib
mount --bind "$folder/root" /root

hostname laptop
ip link set lo up
echo 0 >/proc/sys/net/ipv4/ip_forward # a new network namespace has the machine's own, and Docker switches it on
cd /root
as_reader() {
  env -i PATH=/opt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root LANG=C.UTF-8 \
    COLUMNS=88 NO_COLOR=1 "$@"
}
case $command in
  *'minilab init'*) ;;
  *minilab*) as_reader minilab init mine >/dev/null ;; # for the commands of the labs
esac
echo 21000 >/proc/sys/kernel/ns_last_pid # pids of five digits, which nothing else looks like: see normalise.ts
case $command in
  'docker '* | *' docker '*) # its own dockerd, which knows minilab-oci, with the default image as `box`
    mount -t tmpfs tmpfs /run
    as_reader minilab run --rm default true
    (unset NOTIFY_SOCKET; exec dockerd --bridge=none --iptables=false --add-runtime minilab=/opt/minilab/minilab-oci) \
      >/var/lib/dockerd.log 2>&1 </dev/null &
    dockerd=$!
    until as_reader docker info >/dev/null 2>&1; do
      kill -0 $dockerd || { tail -n 3 /var/lib/dockerd.log >&2; exit 1; }
      sleep 0.2
    done
    tar -C /var/lib/minilab/layers/*/diff -c . | as_reader docker import - box >/dev/null
    ;;
esac

status=0
as_reader timeout --kill-after=5 "$seconds" sh -c "$command" 2>&1 || status=$?
# what still runs would leave its cgroup in the freezer's hierarchy, which is the machine's own
if [ -d /var/lib/minilab/containers ]; then
  for id in $(as_reader minilab ps -a 2>/dev/null | awk 'NR > 1 { print $1 }'); do as_reader minilab rm -f "$id" >/dev/null 2>&1 || :; done
fi
if [ -n "${dockerd-}" ]; then
  for id in $(as_reader docker ps -aq); do as_reader docker rm -f "$id" >/dev/null; done
  kill $dockerd
  wait $dockerd || :
  rmdir /sys/fs/cgroup/freezer/docker 2>/dev/null || : # as above; another dockerd may use it
fi
exit $status
