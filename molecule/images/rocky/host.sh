#!/bin/bash
# Makes an EL host of the root file system of debian.sh, with the packages of packages.sh; runs in it.
set -euo pipefail
shopt -s nullglob
rm -rf /debian /rpmbuild /signing /root/.rpmdb /etc/rpm/macros.stand-in

# EL's sh is bash.
ln -sf bash /usr/bin/sh

# Whose files are not root's, and the accounts that systemd and D-Bus brought.
find / -xdev \( ! -uid 0 -o ! -gid 0 \) ! -path '/proc/*' ! -path '/tmp*' -printf '%m %u %g %p\n' >/tmp/owners
grep -E '^(systemd-[a-z]+|messagebus):' /etc/passwd | sed 's|/usr/sbin/nologin|/sbin/nologin|' >/tmp/passwd || :
grep -E '^(systemd-[a-z]+|messagebus):' /etc/group | grep -v '^systemd-journal:' >/tmp/group || :

# What only Debian has. Packages go as their file lists say, the rest of base-files and friends by name.
dpkg-query -W -f '${Package}\n' | grep -E '^(apt|libapt-pkg.*|dpkg|debconf|ucf|adduser|init-system-helpers|runit-helper|base-passwd|createrepo-c|debian-archive-keyring|sensible-utils)$' \
  | xargs dpkg -L | sort -ru >/tmp/files
while read -r file; do
  # A file list names /lib, a link, as the directory that it leads to.
  if [ -d "$file" ]; then [ -L "$file" ] || rmdir "$file" 2>/dev/null || :; else rm -f "$file"; fi
done </tmp/files
rm -rf /etc/{apt,dpkg,default,init.d,rc?.d,rcS.d,mysql,php,pam.d,ssl,ssh,logcheck,update-motd.d,skel} /var/lib/{apt,dpkg,ucf} /var/cache/{apt,debconf} \
  /etc/{debian_version,issue,issue.net,os-release,timezone,profile,bash.bashrc,login.defs,adduser.conf,deluser.conf,debconf.conf,ucf.conf,hostname,resolv.conf,environment} \
  /etc/{hosts.allow,hosts.deny,motd,pam.conf,e2scrub.conf,modules,mime.types} /etc/dnf/*.conf /etc/dnf/protected.d/* /etc/profile.d/* /etc/cron.* /etc/logrotate.d /usr/lib/os-release /usr/lib/ssl /usr/share/{doc,man,locale,lintian,bug,base-passwd,base-files} \
  /usr/bin/{rpmbuild,rpmspec,rpmsign} /usr/sbin/{add-shell,remove-shell,update-shells,update-passwd,update-ca-certificates,policy-rc.d} \
  /usr/lib/systemd/system/{e2scrub*,systemd-timesyncd*} /usr/lib/systemd/system-preset/* /usr/lib/sysusers.d/basic.conf /usr/lib/tmpfiles.d/{debian,dpkg}.conf \
  /etc/systemd/system/*.wants
# On EL these plugins of dnf are packages of their own.
rm -rf /usr/lib/python3/dist-packages/dnf-plugins/{versionlock,local,leaves,show_leaves,modulesync,system_upgrade,p*-transaction-actions}.py \
  /etc/dnf/plugins/{versionlock,local,p*-transaction-actions}.*
find /etc/systemd /etc/alternatives -xtype l -delete
find / -xdev -name __pycache__ -type d -prune -exec rm -rf {} +
printf 'u nobody 65534:65534 "Kernel Overflow User" / /sbin/nologin\n' >/usr/lib/sysusers.d/basic.conf
mkdir -p /etc/skel /var/lib/rpm /etc/pki /etc/logrotate.d /etc/default
printf '# .bashrc\nif [ -f /etc/bashrc ]; then\n    . /etc/bashrc\nfi\n' | tee /etc/skel/.bashrc >/root/.bashrc
printf '# .bash_profile\nif [ -f ~/.bashrc ]; then\n    . ~/.bashrc\nfi\n' | tee /etc/skel/.bash_profile >/root/.bash_profile
rm -f /root/.profile
rm -rf /var/mail /var/spool/mail
mkdir -p /var/spool/mail
ln -s spool/mail /var/mail

# EL's accounts first, then whatever has an owner.
rm -f /etc/{passwd,group,shadow,gshadow}{,-}
cd /srv/repositories/baseos
add() { rpm -i --define '_dbpath /var/lib/rpm' "$@" 2> >(grep -v NOKEY >&2); }
rpm --define '_dbpath /var/lib/rpm' --initdb
add --nodeps setup-*.rpm
cat /tmp/passwd >>/etc/passwd
cat /tmp/group >>/etc/group
awk -F: '{print $1":!:20000::::::"}' /tmp/passwd >>/etc/shadow
awk -F: '{print $1":!::"}' /tmp/group >>/etc/gshadow
while read -r mode user group path; do
  [ -e "$path" ] || continue
  getent passwd "$user" >/dev/null || user=root
  getent group "$group" >/dev/null || group=root
  chown -h "$user:$group" "$path"
  [ -L "$path" ] || chmod "$mode" "$path"
done </tmp/owners
# EL gives these programs root's rights; Debian gives them group shadow's.
chmod 4755 /usr/bin/chage /usr/bin/expiry /usr/sbin/unix_chkpwd

stubs=$(rpm -qp --qf '%{SOURCERPM} %{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm\n' ./*.rpm 2>/dev/null | sed -n 's/^base-[^ ]* //p' | grep -v '^base-')
installed=(ca-certificates chrony cronie crontabs crypto-policies dnf dnf-data glibc glibc-common glibc-langpack-en glibc-minimal-langpack
  libselinux-utils logrotate openssh openssh-clients openssh-server openssl openssl-libs pam policycoreutils python3-dnf
  python3-libselinux rocky-gpg-keys rocky-release rocky-repos sudo yum yum-utils)
# shellcheck disable=SC2046  # names without blanks
add $stubs $(printf '%s-[0-9]*.rpm ' "${installed[@]}")

ln -sfn ../usr/share/zoneinfo/UTC /etc/localtime
systemctl preset-all
systemctl set-default multi-user.target
: >/etc/machine-id
: >/etc/motd
chmod 000 /etc/shadow* /etc/gshadow*
ldconfig
find /var/log /var/cache -type f -delete
rm -rf /tmp/* /var/lib/dnf /root/.cache
