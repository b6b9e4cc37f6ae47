#!/bin/sh
# Copies a folder into an ext4 image, as the property of the guest's ordinary user.
#   make-disk.sh SOURCE LABEL IMAGE EMPTY_FOLDER PATTERN_TO_LEAVE_OUT…
# Runs as root, or as root of a user namespace.
set -eu
source=$1 label=$2 image=$3 empty=$4
shift 4
stage=$image.stage
trap 'rm -rf "$stage"' EXIT
mkdir -p "$stage"
for pattern; do
  set -- "$@" --exclude="$pattern"
  shift
done
tar -C "$source" "$@" -cf - . | tar -C "$stage" -xf -
mkdir -p "$stage/$empty"
chown -R 1000:1000 "$stage"
mke2fs -q -t ext4 -L "$label" -E root_owner=1000:1000 -d "$stage" "$image" "$(($(du -sm "$stage" | cut -f1) * 5 / 4 + 64))M"
