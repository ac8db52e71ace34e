#!/bin/sh
# The Debian half of a stand-in: a bare system with rpm and dnf, the libraries that the given packages need, and the packages
# themselves unpacked, not installed, below /debian. Usage: debian.sh SUITE TARFILE PACKAGE...
set -eu
if [ "$1" = hook ]; then
  root=$2
  shift 2
  chroot "$root" apt-get clean
  chroot "$root" apt-get install -y --download-only --no-install-recommends "$@"
  mkdir -p "$root/debian/.versions" "$root/debian/.packages"
  for package; do
    mv "$root"/var/cache/apt/archives/"$package"_*.deb "$root/debian/.packages/"
    chroot "$root" sh -c "dpkg-deb -x /debian/.packages/${package}_*.deb /debian &&
      dpkg-deb -f /debian/.packages/${package}_*.deb Version" | sed -e 's/^[0-9]*://' -e 's/-[^-]*$//' -e 's/[+~].*//' \
      >"$root/debian/.versions/$package"
  done
  rm -r "$root/debian/.packages"
  # Debian 12 still has files in /lib and /sbin.
  for directory in bin sbin lib; do
    ! [ -d "$root/debian/$directory" ] || { cp -a "$root/debian/$directory/." "$root/debian/usr/$directory/" && rm -r "$root/debian/$directory"; }
  done
  # Just-in-time compilation of queries, and scripts in Perl: 150 MB that no role looks at.
  rm -f "$root"/var/cache/apt/archives/libllvm* "$root"/var/cache/apt/archives/perl_* "$root"/var/cache/apt/archives/perl-modules-* \
    "$root"/var/cache/apt/archives/libperl5*
  # The libraries depend on some of the packages that are not installed. No file of theirs needs them to be.
  chroot "$root" sh -c 'DEBIAN_FRONTEND=noninteractive dpkg --force-depends --force-confnew -i /var/cache/apt/archives/*.deb'
  chroot "$root" apt-get clean
  exit
fi

suite=$1 tarfile=$2
shift 2
base=systemd,systemd-sysv,libpam-systemd,dbus,python3,rpm,dnf,python3-dnf,dnf-plugins-core,createrepo-c,gnupg,curl,iproute2,procps
base=$base,kmod,less,acl,tzdata,netbase,gawk,bzip2,xz-utils,file,hostname,login,passwd,iputils-ping,bash-completion,python3-systemd
exec mmdebstrap --variant=minbase --include="$base" --customize-hook="'$0' hook \"\$1\" $*" "$suite" "$tarfile"
