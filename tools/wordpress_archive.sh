#!/usr/bin/env bash
# An archive as wordpress.org has them, out of Debian's package, for tests without the Internet: .cache/wordpress/.
. "$(dirname "$0")/common.sh"

folder=.cache/wordpress
mkdir -p "$folder"
# Scenarios run side by side, and each asks for it.
exec 9>"$folder/lock"
flock 9
[ ! -s "$folder/sha256" ] || exit 0
molecule/images/build.sh debian13
say "Making an archive of WordPress"
# PHP first, because the package wants any PHP and would otherwise bring Apache.
docker run --rm -i lemp-test/debian13 sh -eu >"$folder/new.tar.gz" 2>.cache/log/wordpress.log <<'SH'
exec 3>&1 1>&2
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install -y --no-install-recommends php-fpm nginx
theme=$(apt-cache depends wordpress | grep -o 'wordpress-theme-[a-z]*' | head -n 1)
apt-get install -y --no-install-recommends php wordpress "$theme"
mkdir -p /srv/mirror/wordpress
cp -rL /usr/share/wordpress/. /srv/mirror/wordpress/
rm -f /srv/mirror/wordpress/wp-config.php
tar -C /srv/mirror --sort=name --mtime=@0 -cf - wordpress | gzip -n >&3
SH
mv "$folder/new.tar.gz" "$folder/wordpress.tar.gz"
sha256sum "$folder/wordpress.tar.gz" | cut -d' ' -f1 >"$folder/sha256"
