#!/usr/bin/env bash
# Lets this machine run arm64 programs, by qemu-user 11 under a registration of our own. Does nothing where arm64 is native or
# the registration is there; the kernel forgets it at reboot. Usage: emulation.sh [undo]
. "$(dirname "$0")/../../../tools/common.sh"

name=lemp-aarch64
registry=/proc/sys/fs/binfmt_misc
[ "$(uname -m)" != aarch64 ] || exit 0
if [ "${1:-}" = undo ]; then
  [ ! -e "$registry/$name" ] || echo -1 >"$registry/$name"
  exit 0
fi

# What emulated.sh puts into images: nft with its loader and libraries.
nft=.cache/emulation/nft
if [ ! -x "$nft/nft" ]; then
  need mmdebstrap "mmdebstrap debian-archive-keyring"
  say "Fetching nft for this machine's own architecture"
  mkdir -p "$nft" "$nft.tree"
  quietly .cache/log/native-nft.log mmdebstrap --variant=extract --include=nftables trixie "$nft.tree/"
  loader=$(echo "$nft.tree"/usr/lib/*/ld-linux*)
  libraries=$("$loader" --library-path "${loader%/*}" --list "$nft.tree/usr/sbin/nft" | sed -n 's|.* => \(.*\) (.*|\1|p')
  # shellcheck disable=SC2086  # one file a line
  cp -L $libraries "$nft.tree/usr/sbin/nft" "$nft/"
  rm -r "$nft.tree"
fi

[ ! -e "$registry/$name" ] || exit 0
[ "$(id -u)" = 0 ] || fail "only root can register an emulator: run $0 as root, then this again"

# Older releases do not run Debian 13's systemd: it needs CLONE_PIDFD (10) and the mount's number in statx (11).
qemu=.cache/emulation/qemu-aarch64
if [ ! -x "$qemu" ]; then
  need mmdebstrap "mmdebstrap debian-archive-keyring"
  say "Fetching an emulator for arm64 (qemu-user from trixie-backports)"
  mkdir -p "$(dirname "$qemu")"
  # Extracted, not installed: this machine's own packages stay as they are.
  # shellcheck disable=SC2016  # $1 is the hook's
  quietly .cache/log/emulation.log mmdebstrap --variant=extract --include=qemu-user/trixie-backports \
    --setup-hook='cd "$1/etc/apt"; sed -n "s/ trixie main$/ trixie-backports main/p" sources.list >sources.list.d/b.list' \
    trixie "$qemu.tar"
  tar -xOf "$qemu.tar" ./usr/bin/qemu-aarch64 >"$qemu"
  rm "$qemu.tar"
  chmod 0755 "$qemu"
fi

[ -e "$registry/register" ] || mount -t binfmt_misc binfmt_misc "$registry"
# An ELF header, 64 bits, little endian, executable or shared object, machine 183. Flags: P keeps the program's own name, O and
# C open it for the emulator and take its set-user-id (without C sudo says "effective uid is not 0"), F opens the emulator now,
# so that it need not be in the container.
magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
printf '%s' ":$name:M::$magic:$mask:$root/$qemu:POCF" >"$registry/register"
say "This machine runs arm64 programs now, by $($qemu --version | head -n 1)"
