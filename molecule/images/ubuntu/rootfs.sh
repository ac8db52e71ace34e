#!/usr/bin/env bash
# Root file system of a stand-in for Ubuntu Server: Debian's userland of about the same age with Ubuntu's identity and habits.
# Usage: rootfs.sh PLATFORM TARFILE
. "$(dirname "$0")/../../../tools/common.sh"

platform=$1 tarfile=$2
case $platform in
  ubuntu2204) base=debian12 codename=jammy ;;
  ubuntu2404) base=debian13 codename=noble ;;
  *) fail "no base for $platform" ;;
esac
# ufw is there on every Ubuntu Server, and inactive until asked for
# (https://wiki.ubuntu.com/UncomplicatedFirewall).
exec molecule/images/debian/rootfs.sh "$base" "$tarfile" --include=ufw \
  --customize-hook="'$root/molecule/images/ubuntu/identity.sh' \"\$1\" $platform" \
  --customize-hook="'$root/molecule/images/ubuntu/updates.sh' \"\$1\" $codename" \
  --customize-hook="'$root/molecule/images/ubuntu/server.sh' \"\$1\""
