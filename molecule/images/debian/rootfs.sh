#!/usr/bin/env bash
# Root file system of a bare Debian server. Usage: rootfs.sh PLATFORM TARFILE [further arguments of mmdebstrap...]
# The mirror is mmdebstrap's own default, security updates included. `packages` is what a freshly installed Debian server has
# and a minbase root file system lacks.
. "$(dirname "$0")/../../../tools/common.sh"

platform=$1 tarfile=$2
shift 2
case $platform in
  debian12) suite=bookworm ;;
  debian13) suite=trixie ;;
  *) fail "no suite for $platform" ;;
esac
exec mmdebstrap --variant=minbase --include="$(paste -sd, molecule/images/debian/packages)" --skip=cleanup/apt/lists \
  --customize-hook="'$root/molecule/images/debian/finish.sh' \"\$1\"" "$@" "$suite" "$tarfile"
