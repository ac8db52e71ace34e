#!/usr/bin/env bash
# Test images: bare hosts with systemd as PID 1. Usage: build.sh PLATFORM
# Root file systems are built from the package mirror; with LEMP_IMAGES=own, on the distribution's own image. README.md beside
# this file says what each of them is worth.
. "$(dirname "$0")/../../tools/common.sh"

platform=${1:?usage: build.sh PLATFORM}
case $platform in # the folder that makes it, and the distribution's own image
  debian12) kind=debian own=debian:12 ;;
  debian13) kind=debian own=debian:13 ;;
  ubuntu2204) kind=ubuntu own=ubuntu:22.04 ;;
  ubuntu2404) kind=ubuntu own=ubuntu:24.04 ;;
  rocky9) kind=rocky own=rockylinux/rockylinux:9 ;;
  rocky10) kind=rocky own=rockylinux/rockylinux:10 ;;
  raspios12 | raspios13) kind=raspios own= ;;
  *) fail "unknown platform $platform; molecule/images/build.sh lists the known ones" ;;
esac
folder=molecule/images/$kind
changes=(-c 'CMD ["/lib/systemd/systemd"]' -c 'ENV container=docker LANG=C.UTF-8')
sources=(molecule/images/build.sh "$folder")
[ "$kind" = debian ] || sources+=(molecule/images/debian)

from=stand-in
[ "$kind" != debian ] || from=mirror
if [ "${LEMP_IMAGES:-mirror}" = own ]; then
  [ -z "$own" ] || from=own
fi

if [ "$kind" = raspios ]; then
  molecule/images/raspios/emulation.sh
  # Read by the emulator alone: the CPU and the kernel's release of a Raspberry Pi 4.
  [ "$(uname -m)" = aarch64 ] || changes+=(-c 'ENV QEMU_CPU=cortex-a72 QEMU_UNAME=6.12.47+rpt-rpi-v8')
fi

sums() { find "${sources[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum; }
recipe=$({ echo "$from"; sums; } | sha256sum | cut -c1-12)
image=lemp-test/$platform:$recipe
if ! docker image inspect "$image" >/dev/null 2>&1; then
  log=.cache/log/image-$platform.log
  if [ "$from" = own ]; then
    say "Building image $image on $own"
    quietly "$log" docker build --build-arg "IMAGE=$own" --build-arg "PLATFORM=$platform" --label lemp.image=own \
      -f "$folder/Dockerfile" -t "$image" molecule/images
  else
    need mmdebstrap "mmdebstrap debian-archive-keyring"
    say "Building image $image from the package mirror"
    rootfs=$(mktemp --suffix=.tar)
    trap 'rm -f "$rootfs"' EXIT
    quietly "$log" "$folder/rootfs.sh" "$platform" "$rootfs"
    docker import "${changes[@]}" -c "LABEL lemp.image=$from" "$rootfs" "$image" >/dev/null
  fi
fi
docker tag "$image" "lemp-test/$platform:latest"
