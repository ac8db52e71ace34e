#!/usr/bin/env bash
# Root file system of a stand-in for Rocky Linux. Usage: rootfs.sh PLATFORM TARFILE
# Debian's programs under EL's names, in EL's places: see README.md.
set -euo pipefail
platform=$1 tarfile=$(realpath "$2")
. "$(dirname "$0")/../../../tools/common.sh"
here=$root/molecule/images/rocky
[ -f "$here/platforms/$platform.macros" ] || fail "unknown platform $platform; known are $(basename -s .macros "$here"/platforms/*.macros | paste -sd' ')"
need mmdebstrap mmdebstrap

macro() { sed -n "s/^%$1 //p" "$here/platforms/$platform.macros"; }
release=$(macro rhel) suite=$(macro debian_suite)
cache=$root/.cache/images/rocky
mkdir -p "$cache"
work=$(mktemp -d "$cache/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

# A spec without a line "Releases" is for all.
specs=()
for spec in "$here"/specs/*.spec; do
  releases=$(sed -n 's/^# Releases: //p' "$spec")
  [[ " ${releases:-$release} " != *" $release "* ]] || specs+=("$spec")
done
# The specs name Debian packages with the versions of the platform in them.
packages=$(sed -n 's/^# Debian packages: //p' "${specs[@]}" \
  | sed -e "s/%{php}/$(macro php)/g" -e "s/%{postgresql}/$(macro postgresql)/g" -e "s/%{cron}/$(macro cron)/g" | tr ' ' '\n' | sort -u)

debian=$cache/debian-$suite-$(cat "$here/debian.sh" - <<<"$packages" | sha256sum | cut -c1-12).tar
if ! [ -f "$debian" ]; then
  say "Fetching Debian's packages for $platform (about a minute)"
  rm -f "$cache/debian-$suite"-*.tar
  quietly ".cache/log/image-$platform-debian.log" "$here/debian.sh" "$suite" "$work/debian.tar" $packages
  mv "$work/debian.tar" "$debian"
fi

say "Building the packages of $platform"
mkdir "$work/root"
tar -C "$work/root" -xf "$debian"
mkdir "$work/root/build"
cp -r "${specs[@]}" "$work/root/build/"
for spec in "${specs[@]}"; do ! [ -d "${spec%.spec}" ] || cp -r "${spec%.spec}" "$work/root/build/"; done
cp "$here/packages.sh" "$here/host.sh" "$work/root/build/"
mkdir -p "$work/root/etc/rpm"
cat "$here/platforms/$platform.macros" "$here/macros" >"$work/root/etc/rpm/macros.stand-in"
! [ -f "$here/platforms/$platform.modules.yaml" ] || cp "$here/platforms/$platform.modules.yaml" "$work/root/build/modules.yaml"

# In a mount namespace of its own, so that no mount stays behind. The root is a mount point, because rpm makes its mounts private.
inside() { # script
  unshare --mount sh -c 'mount --bind "$1" "$1" && mount -t proc proc "$1/proc" &&
    exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 "$2"' sh "$work/root" "$1"
}
quietly ".cache/log/image-$platform-packages.log" inside /build/packages.sh
say "Turning the root file system into an EL host"
quietly ".cache/log/image-$platform-host.log" inside /build/host.sh
rm -rf "$work/root/build"
tar -C "$work/root" --numeric-owner -cf "$tarfile" .
