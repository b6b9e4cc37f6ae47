# Runs a command line in a separate place (machine.sh), and takes away what that leaves: record.sh CHECKOUT SECONDS COMMAND
# It runs to its end even if the process that started it dies.
set -eu
folder=$(mktemp --tmpdir -d minilab-book-XXXXXX)
name=${folder##*/}
mounted() { awk "$1 { print \$2 }" /proc/self/mounts; }
if [ -n "$(mounted '$3 == "cgroup"')" ]; then
  # not v1's freezer: its true root has no freezer.state, so no process tries to thaw it
  hierarchies=$(mounted '$3 == "cgroup2" || $3 == "cgroup" && $4 !~ /(^|,)freezer/')
else
  # The guest of test/vm. It has nothing to hide, and v2's true root differs from what looks like it: it may have processes, and
  # hand controllers down. The cgroup namespace below begins where we are.
  hierarchies=
  echo 0 >"$(mounted '$3 == "cgroup2"')/cgroup.procs"
fi

remove() {
  for at in $hierarchies; do
    # a process that has just died may be counted for a moment longer, and v1 has no event for it
    for _ in 1 2 3 4 5 6 7 8 9; do
      [ ! -d "$at/$name" ] || { find "$at/$name" -depth -type d -exec rmdir {} \; 2>/dev/null || sleep 0.2; }
    done
  done
  rm -rf --one-file-system "$folder"
}
trap remove EXIT

# a cgroup in each hierarchy, which will look like its root
for at in $hierarchies; do
  [ ! -f "$at/cgroup.subtree_control" ] || echo '+memory +cpu +pids' >"$at/cgroup.subtree_control" 2>/dev/null || :
  mkdir "$at/$name"
  for file in cpuset.cpus cpuset.mems; do # v1: empty, and so nobody could join
    [ ! -f "$at/$name/cgroup.clone_children" ] || [ ! -f "$at/$file" ] || cat "$at/$file" >"$at/$name/$file"
  done
done
(
  for at in $hierarchies; do echo 0 >"$at/$name/cgroup.procs"; done
  exec unshare --mount --cgroup --uts --ipc --net --pid --fork --kill-child --mount-proc \
    sh "${0%/*}/machine.sh" "$folder" "$name" "$hierarchies" "$@"
)
