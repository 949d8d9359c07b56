#!/bin/sh
# rootfs.sh OUT.tar: a Debian 12 with Python, for images that need no registry.
#
# The same bytes each time while Debian's archive stands still: nothing of the machine it is made on
# (name server, host name, package sources) and nothing of the moment stays in it. What is in it is
# written to /etc/tonegap/apt.txt of the image itself.
set -eu
command -v mmdebstrap >/dev/null || {
  echo "mmdebstrap: not found; on Debian or Ubuntu: apt-get install mmdebstrap" >&2
  exit 1
}
[ "$(id -u)" -eq 0 ] || command -v newuidmap >/dev/null || {
  echo "newuidmap: not found, and mmdebstrap needs it unless root runs it; on Debian or Ubuntu: apt-get install uidmap" >&2
  exit 1
}
export SOURCE_DATE_EPOCH=1767225600 PYTHONHASHSEED=0 LC_ALL=C.UTF-8
exec mmdebstrap --quiet --variant=minbase \
  --include=python3,ca-certificates \
  --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/doc/*' \
  --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --customize-hook='rm -rf "$1"/usr/share/python3/debpython/__pycache__' \
  --customize-hook='rm -f "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/etc/apt/sources.list' \
  --customize-hook='ln -s python3 "$1"/usr/bin/python' \
  --customize-hook='mkdir -p "$1"/etc/tonegap && chroot "$1" dpkg-query -W >"$1"/etc/tonegap/apt.txt' \
  bookworm "$1" </dev/null
