#!/usr/bin/env bash
# Real data on the way from Debian 12's MariaDB to Debian 13's, then to a newer package, with a checksum before and after each
# step; and the ways that must not work: back to the older server, and a package that cannot be installed.
. "$(dirname "$0")/../../tools/common.sh"

old=lemp-mariadb-upgrade-12 new=lemp-mariadb-upgrade-13
work=$root/.cache/mariadb_upgrade
rm -rf "$work"
mkdir -p "$work"
trap '[ -n "${KEEP:-}" ] || docker rm -f "$old" "$new" >/dev/null 2>&1' EXIT
export ANSIBLE_COLLECTIONS_PATH=$root/collections ANSIBLE_PIPELINING=1 ANSIBLE_INJECT_FACT_VARS=0 ANSIBLE_NOCOLOR=1 ANSIBLE_NOCOWS=1

cat >"$work/inventory.yml" <<YAML
database:
  hosts: {$old: , $new: }
  vars:
    ansible_connection: community.docker.docker
    ansible_become: false
    ansible_python_interpreter: /usr/bin/python3
    lemp_host: {reserve_mb: 200}
    lemp_sites:
      - name: shop
        domains: [shop.example.org]
        app: php
        root: /srv/shop
        database: {password: of-the-shop}
YAML

attempt() { # log, arguments of ansible-playbook...
  local log=$work/$1; shift
  ansible-playbook -i "$work/inventory.yml" "$@" >"$log" 2>&1
}

play() { attempt "$@" || { tail -n 40 "$work/$1" >&2; fail "$1: that run failed"; }; }

refused() { # log, sentence, arguments of ansible-playbook...
  local log=$1 sentence=$2; shift 2
  if attempt "$log" "$@"; then fail "$log: that run was to fail"; fi
  tr -s ' \n' ' ' <"$work/$log" | grep -qF "$sentence" || { tail -n 20 "$work/$log" >&2; fail "$log: no word of '$sentence'"; }
}

changed_nothing() { grep -qE 'changed=0 .*failed=0' "$work/$1" || { cat "$work/$1" >&2; fail "$1: this run was to change nothing"; }; }

# What a client sees, whatever the server's version, and not what the server itself says of its pages.
checksum() { # host
  docker exec -e MYSQL_PWD=of-the-shop "$1" mariadb -BN -u shop shop -e 'SELECT * FROM items ORDER BY id' >"$work/of-shop" ||
    fail "the site does not come in"
  docker exec "$1" sh -c '
    for query in "SELECT * FROM items ORDER BY id" "SELECT * FROM long_texts ORDER BY id" "SHOW CREATE VIEW cheap" "CALL total()"; do
      mariadb -BN shop -e "$query"
    done' | cat - "$work/of-shop" | sha256sum
}

version() { docker exec "$1" mariadb -BN -e 'SELECT VERSION()'; }

files() { docker exec "$1" sh -c 'find /var/lib/mysql -type f | sort | xargs sha256sum | sha256sum'; }

say "Two hosts, the role on both"
start_host "$old" debian12 1024
start_host "$new" debian13 1024
play first.log playbooks/database.yml --skip-tags baseline
docker exec -i "$old" mariadb shop <<'SQL'
CREATE TABLE items (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(60) CHARACTER SET utf8mb4, price DECIMAL(9,2), made DATETIME,
  KEY (price)) ENGINE=InnoDB;
INSERT INTO items (name, price, made) SELECT CONCAT('Stück 🐬 ', seq), seq * 1.01, '2026-01-01' + INTERVAL seq HOUR FROM seq_1_to_20000;
CREATE TABLE long_texts (id INT PRIMARY KEY, body LONGTEXT, facts JSON, place GEOMETRY) ENGINE=InnoDB ROW_FORMAT=COMPRESSED;
INSERT INTO long_texts SELECT seq, REPEAT(MD5(seq), 2000), JSON_OBJECT('n', seq), POINT(seq, 1) FROM seq_1_to_200;
CREATE VIEW cheap AS SELECT id, name FROM items WHERE price < 100;
CREATE TABLE error_log (id INT PRIMARY KEY);
CREATE PROCEDURE total() SELECT SUM(price), COUNT(*) FROM items;
DELETE FROM items WHERE id % 7 = 0;
SQL
before=$(checksum "$old")
[ "$(docker exec "$old" mariadb -BN shop -e 'SELECT COUNT(*) FROM items')" -gt 17000 ] || fail "there are no data to move"

say "Data of MariaDB $(version "$new") at $(version "$old"): refused"
docker exec "$old" systemctl stop mariadb
docker exec "$old" cp -a /var/lib/mysql /root/data
docker exec "$old" sh -c 'echo 11.8.3-MariaDB >/var/lib/mysql/mysql_upgrade_info'
touched=$(files "$old")
refused newer.log 'The data directory was last used by MariaDB 11.8, which is newer' playbooks/database.yml --skip-tags baseline --limit "$old"
changed=$(files "$old")
[ "$touched" = "$changed" ] || fail "a refused run touched the data directory"

move() { # from the copy on the old host to the data directory of the new one, which is a mount point
  docker exec "$new" sh -c 'systemctl stop mariadb; rm -rf /var/lib/mysql; mkdir -p /var/lib/mysql /srv/data
    mount --bind /srv/data /var/lib/mysql'
  docker exec "$old" tar -C /root/data -cf - . | docker exec -i "$new" tar -C /var/lib/mysql -xpf -
  docker exec "$new" chown -R mysql:mysql /var/lib/mysql
}

say "Moved data and a server that does not start: the data directory is as before"
move
docker exec "$new" sh -c 'printf "[mariadbd]\nno_such_variable = 1\n" >/etc/mysql/mariadb.conf.d/99-broken.cnf'
moved=$(files "$new")
refused broken.log 'The data directory is as it was before, but no server runs with it' playbooks/upgrade_mariadb.yml --limit "$new"
[ "$(files "$new")" = "$moved" ] || fail "the data directory is not what it was before"
docker exec "$new" rm /etc/mysql/mariadb.conf.d/99-broken.cnf

say "The upgrade: check, run, run again"
play check.log playbooks/upgrade_mariadb.yml --limit "$new" --check
grep -qF 'the data directory is brought to the version of the server' "$work/check.log" || fail "check mode does not say what it would do"
[ "$(files "$new")" = "$moved" ] || fail "check mode touched the data directory"
play upgrade.log playbooks/upgrade_mariadb.yml --limit "$new"
[ "$(checksum "$new")" = "$before" ] || fail "the data are not what they were"
docker exec "$new" sh -c 'cat /var/lib/mysql/*upgrade_info' | grep -q '^11\.8' || fail "mariadb-upgrade left no trace"
play upgrade-again.log playbooks/upgrade_mariadb.yml --limit "$new"
changed_nothing upgrade-again.log
say "MariaDB $(version "$new") has the data of 10.11: $before"

# The package that is there under a newer version, and one that fails while it is installed.
offer() { # version, what its preinst does
  docker exec "$new" sh -ec '
    rm -rf /srv/repository /root/package /etc/apt/sources.list.d/newer.list
    mkdir -p /srv/repository
    cd /root
    apt-get update -qq
    apt-get download -qq mariadb-server
    dpkg-deb -R mariadb-server_*.deb package
    sed -i "s/^Version: .*/Version: $0/" package/DEBIAN/control
    sed -i "2i $1" package/DEBIAN/preinst
    dpkg-deb -b package /srv/repository/ >/dev/null
    rm -f mariadb-server_*.deb
    cd /srv/repository
    file=$(ls)
    { dpkg-deb -f "$file"; echo "Filename: ./$file"; echo "Size: $(stat -c %s "$file")"; echo "SHA256: $(sha256sum "$file" | cut -d" " -f1)"; } >Packages
    echo "deb [trusted=yes] file:/srv/repository ./" >/etc/apt/sources.list.d/newer.list
    apt-get update -qq' "$1" "$2"
}

say "A newer package that cannot be installed: the old server runs on"
packaged=$(docker exec "$new" dpkg-query -W -f '${Version}' mariadb-server)
offer "$packaged.1" 'exit 1'
refused unpackable.log "MariaDB $packaged runs as before, with data that nothing newer touched" playbooks/upgrade_mariadb.yml --limit "$new"
grep -q 'returned an error code' "$work/unpackable.log" || fail "it was not the package that failed"
[ "$(checksum "$new")" = "$before" ] || fail "the data are not what they were"
docker exec "$new" sh -c 'dpkg --configure -a; apt-get -f install -qq' >/dev/null 2>&1 || true

say "A newer package that can"
offer "$packaged.2" ':'
play minor.log playbooks/upgrade_mariadb.yml --limit "$new"
[ "$(docker exec "$new" dpkg-query -W -f '${Version}' mariadb-server)" = "$packaged.2" ] || fail "the newer package is not there"
[ "$(checksum "$new")" = "$before" ] || fail "the data are not what they were"
play minor-again.log playbooks/upgrade_mariadb.yml --limit "$new"
changed_nothing minor-again.log
say "Upgraded, refused, brought back: the data are $before"
