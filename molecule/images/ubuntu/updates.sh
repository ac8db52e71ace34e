#!/bin/sh
# A local repository with the origin of Ubuntu's security updates and one package, installed in an older version: what
# unattended-upgrades may install with Ubuntu's origins, and nothing else. Usage: updates.sh ROOT CODENAME
set -eu
root=$1 suite=$2-security
name=lemp-security-update
folder=/usr/share/lemp-ubuntu-security

package() { # version, file
  work=$(mktemp -d)
  chmod 0755 "$work"
  mkdir "$work/DEBIAN"
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: lemp.stack <root@localhost>\nDescription: %s\n' \
    "$name" "$1" "empty, to be updated by unattended-upgrades" >"$work/DEBIAN/control"
  dpkg-deb --root-owner-group --build "$work" "$2" >/dev/null
  rm -r "$work"
}

mkdir -p "$root$folder"
package 1 "$root$folder/$name.deb"
chroot "$root" dpkg --install "$folder/$name.deb"
package 2 "$root$folder/$name.deb"

cd "$root$folder"
{
  dpkg-deb --field "$name.deb"
  echo "Filename: ./$name.deb"
  stat -c 'Size: %s' "$name.deb"
  sha256sum "$name.deb" | sed -E 's/^(\S+).*/SHA256: \1/'
} >Packages
cat >Release <<RELEASE
Origin: Ubuntu
Label: Ubuntu
Suite: $suite
Codename: $2
Date: $(date -Ru)
SHA256:
 $(sha256sum Packages | cut -d' ' -f1) $(stat -c %s Packages) Packages
RELEASE
echo "deb [trusted=yes] file:$folder ./" >"$root/etc/apt/sources.list.d/ubuntu-security.list"
chroot "$root" apt-get -q -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/ubuntu-security.list -o Dir::Etc::sourceparts=- \
  -o APT::Get::List-Cleanup=0 update
