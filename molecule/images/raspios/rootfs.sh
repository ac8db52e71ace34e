#!/usr/bin/env bash
# Root file system of a stand-in for Raspberry Pi OS Lite (64 bit): Debian's arm64 userland with a Raspberry Pi's identity.
# Usage: rootfs.sh PLATFORM TARFILE
. "$(dirname "$0")/../../../tools/common.sh"

platform=$1 tarfile=$2
here=$root/molecule/images/raspios
release=${platform#raspios}
arguments=(--arch=arm64 "--components=main,contrib,non-free,non-free-firmware")
# Swap is dphys-swapfile's on release 12; release 13 has rpi-swap, which Debian does not carry.
[ "$release" != 12 ] || arguments+=(--include=dphys-swapfile)
arguments+=(--customize-hook="'$here/identity.sh' \"\$1\" $release")
# mmdebstrap looks for an emulator by another name than ours.
[ "$(uname -m)" = aarch64 ] ||
  arguments+=(--skip=check/qemu --customize-hook="'$here/emulated.sh' \"\$1\" $release")
exec molecule/images/debian/rootfs.sh "debian$release" "$tarfile" "${arguments[@]}"
