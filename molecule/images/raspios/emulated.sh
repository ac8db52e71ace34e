#!/bin/sh
# What systemd and daemons must leave out under qemu-user, in the image alone. Not run where arm64 is native.
# Usage: emulated.sh ROOT RELEASE; emulation.sh was run before
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

# Redis takes the emulated memory for a kernel with a known fault and stops. Another name than above: a unit's own drop-in replaces
# one of the same name for all services.
cat >"$system/redis-server.service.d/zz-redis.conf" <<'UNIT'
[Service]
ExecStart=
ExecStart=/usr/bin/redis-server /etc/redis/redis.conf --supervised systemd --daemonize no --ignore-warnings ARM64-COW-BUG
UNIT

# PHP 8.4 crashes now and then with memory for compiled code.
if [ "$release" = 13 ]; then
  mkdir -p "$root/etc/php/8.4/fpm/conf.d"
  echo 'opcache.jit_buffer_size=0' >"$root/etc/php/8.4/fpm/conf.d/zz-qemu-user.ini"
fi

# nft speaks netlink with the kernel, which qemu-user does not translate ("Protocol not supported"). The kernel is this machine's,
# so nft is this machine's too, in the place that the package's own would take.
chroot "$root" dpkg-divert --quiet --local --rename --divert /usr/sbin/nft.arm64 --add /usr/sbin/nft
mkdir -p "$root/usr/local/lib/native"
cp -a .cache/emulation/nft/. "$root/usr/local/lib/native/"
cat >"$root/usr/sbin/nft" <<'PROGRAM'
#!/bin/sh
native=/usr/local/lib/native
exec "$native"/ld-linux-* --library-path "$native" "$native/nft" "$@"
PROGRAM
chmod 0755 "$root/usr/sbin/nft"
