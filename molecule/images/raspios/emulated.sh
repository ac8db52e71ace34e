#!/bin/sh
# What systemd and daemons must leave out under qemu-user, in the image alone. Not run where arm64 is native.
# Usage: emulated.sh ROOT RELEASE
set -eu
root=$1 release=$2
system=$root/etc/systemd/system

# qemu-user refuses clone(CLONE_NEWNS) and unshare(CLONE_NEWUSER): no credentials, no private users. The name sorts after a
# role's own drop-ins.
mkdir -p "$system/service.d" "$system/redis-server.service.d"
{
  printf '[Service]\nLoadCredential=\nLoadCredentialEncrypted=\nSetCredential=\nSetCredentialEncrypted=\nPrivateUsers=no\n'
  [ "$release" = 12 ] || echo ImportCredential=
} >"$system/service.d/zz-qemu-user.conf"

# Redis takes the emulated memory for a kernel with a known fault and stops.
cat >"$system/redis-server.service.d/zz-qemu-user.conf" <<'UNIT'
[Service]
ExecStart=
ExecStart=/usr/bin/redis-server /etc/redis/redis.conf --supervised systemd --daemonize no --ignore-warnings ARM64-COW-BUG
UNIT

# PHP 8.4 crashes now and then with memory for compiled code.
if [ "$release" = 13 ]; then
  mkdir -p "$root/etc/php/8.4/fpm/conf.d"
  echo 'opcache.jit_buffer_size=0' >"$root/etc/php/8.4/fpm/conf.d/zz-qemu-user.ini"
fi
