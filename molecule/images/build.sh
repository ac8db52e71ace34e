#!/usr/bin/env bash
# Test images: bare hosts with systemd as PID 1. Usage: build.sh PLATFORM
# The distribution's own image is not needed: mmdebstrap builds the root file system from the distribution's package mirror.
. "$(dirname "$0")/../../tools/common.sh"

platform=$1
case $platform in
  debian12) suite=bookworm ;;
  debian13) suite=trixie ;;
  *) fail "unknown platform $platform; known are debian12 and debian13" ;;
esac

# What a freshly installed Debian server has and a minbase root file system lacks.
packages=systemd,systemd-sysv,dbus,python3,python3-apt,ca-certificates,iproute2,procps,sudo,openssh-server,cron,logrotate,nftables,kmod

recipe=$(cat "$0" | sha256sum | cut -c1-12)
image=lemp-test/$platform:$recipe
if ! docker image inspect "$image" >/dev/null 2>&1; then
  command -v mmdebstrap >/dev/null || {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "install mmdebstrap to build the test images"
    say "Installing mmdebstrap"
    quietly .cache/log/images-apt.log sh -c 'apt-get update && apt-get install -y --no-install-recommends mmdebstrap debian-archive-keyring'
  }
  say "Building image $image from the package mirror (about half a minute)"
  rootfs=$(mktemp --suffix=.tar)
  trap 'rm -f "$rootfs"' EXIT
  # The mirror is mmdebstrap's own default, security updates included. Host keys and the machine id are made at first boot,
  # so that no two hosts share them.
  quietly ".cache/log/image-$platform.log" mmdebstrap --variant=minbase --include="$packages" --skip=cleanup/apt/lists \
    --customize-hook='rm -f "$1"/etc/ssh/ssh_host_*; : >"$1/etc/machine-id"' \
    --customize-hook='mkdir -p "$1/etc/systemd/system/ssh.service.d" && printf "[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=/usr/sbin/sshd -t\n" >"$1/etc/systemd/system/ssh.service.d/host-keys.conf"' \
    "$suite" "$rootfs"
  docker import -c 'CMD ["/lib/systemd/systemd"]' -c 'ENV container=docker LANG=C.UTF-8' "$rootfs" "$image" >/dev/null
fi
docker tag "$image" "lemp-test/$platform:latest"
