#!/bin/bash
# Builds, signs and indexes the packages; runs in the root file system of debian.sh.
set -euo pipefail
export GNUPGHOME=/signing
mkdir -m 700 /signing
gpg --batch --quiet --passphrase '' --quick-gen-key 'Rocky stand-in <stand-in@localhost>' rsa3072 sign never
gpg --armor --export >/signing/key.asc

build() { # spec
  local repository
  repository=$(sed -n 's/^# Repository: //p' "$1")
  rpmbuild -bb --quiet -D '_topdir /rpmbuild' -D '_specdir /build' -D "_rpmdir /srv/repositories/$repository" \
    -D "_builddir /rpmbuild/$(basename "$1")" -D "_buildrootdir /rpmbuild/root" "$1" >"$1.log" 2>&1 || {
    cat "$1.log"
    echo "failed: $1"
    return 1
  }
  echo "built $1"
}
export -f build
rpm --initdb
mkdir -p /srv/repositories/{baseos,appstream,epel} /rpmbuild/{BUILD,RPMS,SOURCES,SPECS,SRPMS,root}
for spec in /build/*.spec; do mkdir "/rpmbuild/$(basename "$spec")"; done
printf '%s\n' /build/*.spec | xargs -P 2 -I {} bash -c 'build {}'

find /srv/repositories -name '*.rpm' -print0 | xargs -0 rpmsign --addsign -D '_gpg_name stand-in@localhost' -D '_gpg_path /signing' \
  -D '__gpg /usr/bin/gpg' >/dev/null
gpgconf --kill all
for repository in /srv/repositories/*; do createrepo_c --quiet "$repository"; done
! [ -f /build/modules.yaml ] || modifyrepo_c --mdtype=modules /build/modules.yaml /srv/repositories/appstream/repodata
