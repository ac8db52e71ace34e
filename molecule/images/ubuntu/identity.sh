#!/bin/sh
# Makes a Debian root file system say that it is Ubuntu, and listen for ssh as Ubuntu does. Usage: identity.sh ROOT PLATFORM
set -eu
root=$1
here=$(dirname "$0")
case $2 in
  ubuntu2204) version=22.04 point=22.04.5 codename=jammy name='Jammy Jellyfish' debian=bookworm/sid ;;
  ubuntu2404) version=24.04 point=24.04.4 codename=noble name='Noble Numbat' debian=trixie/sid ;;
esac

# Files of packages are diverted, so that an upgrade does not bring Debian's back.
divert() { chroot "$root" dpkg-divert --quiet --local --rename --add "$1"; }

divert /usr/lib/os-release
cat >"$root/usr/lib/os-release" <<OS
PRETTY_NAME="Ubuntu $point LTS"
NAME="Ubuntu"
VERSION_ID="$version"
VERSION="$point LTS ($name)"
VERSION_CODENAME=$codename
ID=ubuntu
ID_LIKE=debian
HOME_URL="https://www.ubuntu.com/"
SUPPORT_URL="https://help.ubuntu.com/"
BUG_REPORT_URL="https://bugs.launchpad.net/ubuntu/"
PRIVACY_POLICY_URL="https://www.ubuntu.com/legal/terms-and-policies/privacy-policy"
UBUNTU_CODENAME=$codename
OS
cat >"$root/etc/lsb-release" <<LSB
DISTRIB_ID=Ubuntu
DISTRIB_RELEASE=$version
DISTRIB_CODENAME=$codename
DISTRIB_DESCRIPTION="Ubuntu $point LTS"
LSB
printf 'Ubuntu %s LTS \\n \\l\n\n' "$point" >"$root/etc/issue"
printf 'Ubuntu %s LTS\n' "$point" >"$root/etc/issue.net"
echo "$debian" >"$root/etc/debian_version"

# Ubuntu's sudoers gives group admin what sudo has, without making the group.
sed -i 's/^%sudo/# Members of the admin group may gain root privileges\n%admin ALL=(ALL) ALL\n\n&/' "$root/etc/sudoers"

# Since 22.10 systemd listens and starts ssh.service at the first connection
# (https://discourse.ubuntu.com/t/sshd-now-uses-socket-based-activation-ubuntu-22-10-and-later/30189).
[ "$version" != 22.04 ] || exit 0
divert /usr/lib/systemd/system/ssh.socket
cat >"$root/usr/lib/systemd/system/ssh.socket" <<'UNIT'
[Unit]
Description=OpenBSD Secure Shell server socket
Before=sockets.target ssh.service
ConditionPathExists=!/etc/ssh/sshd_not_to_be_run

[Socket]
ListenStream=0.0.0.0:22
ListenStream=[::]:22
BindIPv6Only=ipv6-only
Accept=no
FreeBind=yes

[Install]
WantedBy=sockets.target
RequiredBy=ssh.service
UNIT
install -D -m 0755 "$here/sshd-socket-generator" "$root/usr/lib/systemd/system-generators/sshd-socket-generator"
chroot "$root" systemctl --quiet disable ssh.service
chroot "$root" systemctl --quiet enable ssh.socket
