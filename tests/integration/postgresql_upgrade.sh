#!/usr/bin/env bash
# The data of Debian 12's PostgreSQL in a host of Debian 13, upgraded with their checksum compared. Real data directories and
# packages of both releases; the old programs come from Debian 12's source, as an upgrade of the system leaves them behind.
# KEEP=1 leaves the hosts.
. "$(dirname "$0")/../../tools/common.sh"

work=$root/.cache/postgresql_upgrade
old=lemp-upgrade-postgresql-old
new=lemp-upgrade-postgresql-new
rm -rf "$work"
mkdir -p "$work"
trap '[ -n "${KEEP:-}" ] || docker rm -f "$old" "$new" >/dev/null 2>&1' EXIT
export ANSIBLE_COLLECTIONS_PATH=$root/collections ANSIBLE_NOCOLOR=1 ANSIBLE_PIPELINING=1

cat >"$work/hosts.yml" <<YAML
all:
  children: {database: {hosts: {$old: , $new: }}}
  vars:
    ansible_connection: community.docker.docker
    ansible_python_interpreter: /usr/bin/python3
    postgresql_extra_packages: [postgresql-15-prefix]
    lemp_sites:
      - name: shop
        domains: [shop.lemp.test]
        database: {engine: postgresql, password: of-the-Shop-1}
YAML
cat >"$work/role.yml" <<'YAML'
---
- name: Run the role
  hosts: all
  roles: [lemp.stack.postgresql]
  vars:
    postgresql_databases: "{{ lemp_sites | lemp.stack.postgresql_databases }}"
    postgresql_users: "{{ lemp_sites | lemp.stack.postgresql_users }}"
YAML

play() { # log, arguments
  local log=$work/$1; shift
  ansible-playbook -i "$work/hosts.yml" "$@" >"$log" 2>&1
}
as_postgres() { docker exec -i -u postgres -w / "$1" psql -XAtq -v ON_ERROR_STOP=1 shop; }
checksum() { # host
  as_postgres "$1" <<<"SELECT md5(string_agg(t::text, ',' ORDER BY id)) || ' ' || count(*) || ' ' || sum(amount) FROM orders t"
}
signs_in() { # host, password
  docker exec -e PGPASSWORD="$2" "$1" psql -w -h 127.0.0.1 -U shop -XAtc 'SELECT count(*) FROM orders' shop
}

# An extension that knows no way from 1.0 to what it is for PostgreSQL 17.
bring_stale() { # host, major version, version of the extension
  docker exec -i "$1" sh -c "cd /usr/share/postgresql/$2/extension && cat >stale.control && echo 'CREATE FUNCTION stale() RETURNS int LANGUAGE sql RETURN 1;' >stale--$3.sql" <<<"default_version = '$3'"
}
outdated() { # host
  as_postgres "$1" <<<"SELECT string_agg(name, ' ') FROM pg_available_extensions WHERE installed_version <> default_version"
}

say "Debian 12: the role, and some data"
start_host "$old" debian12 1024
play role-old.log "$work/role.yml" --limit "$old" || { tail -n 30 "$work/role-old.log"; fail "the role failed"; }
bring_stale "$old" 15 1.0
as_postgres "$old" <<'SQL'
CREATE TABLE orders (id bigint PRIMARY KEY, who text NOT NULL, amount numeric(12,2) NOT NULL, at timestamptz NOT NULL);
INSERT INTO orders SELECT n, md5(n::text) || 'äöü', n * 1.07, timestamptz '2020-01-01' + n * interval '1 minute'
FROM generate_series(1, 200000) AS n;
ALTER TABLE orders OWNER TO shop;
CREATE EXTENSION pg_trgm;
CREATE INDEX ON orders USING gin (who gin_trgm_ops);
CREATE EXTENSION stale;
CREATE EXTENSION pg_stat_statements;
CREATE EXTENSION prefix;
CREATE TABLE numbers (number prefix_range);
INSERT INTO numbers VALUES ('0800');
SQL
before=$(checksum "$old")
say "Checksum: $before"

say "Debian 13 with the data of that host and the programs that were there"
start_host "$new" debian13 1024
docker exec "$old" systemctl stop postgresql
source=$(docker exec "$old" sh -c 'cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true')
docker exec -i "$new" sh -c "cat >/etc/apt/sources.list.d/bookworm.$(grep -q '^Types:' <<<"$source" && echo sources || echo list)" <<<"$source"
# What is in both comes from Debian 13.
printf 'Package: *\nPin: release n=bookworm*\nPin-Priority: 100\n' | docker exec -i "$new" sh -c 'cat >/etc/apt/preferences.d/bookworm'
docker exec -i "$new" sh -c 'mkdir -p /etc/postgresql-common/createcluster.d && echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/lemp.conf'
quietly "$work/apt.log" docker exec -e DEBIAN_FRONTEND=noninteractive "$new" sh -c \
  'apt-get update && apt-get install -y --no-install-recommends postgresql-15 postgresql-15-prefix'
bring_stale "$new" 15 1.0
docker exec "$old" tar -C / -cf - var/lib/postgresql etc/postgresql | docker exec -i "$new" tar -C / -xpf -
docker exec "$new" sh -c 'chown -R postgres: /var/lib/postgresql /etc/postgresql && systemctl daemon-reload && systemctl start postgresql@15-main'
[ "$(checksum "$new")" = "$before" ] || fail "the data did not arrive whole"

say "The role refuses data of another version and touches nothing"
# As on a host whose system was upgraded: the newest server is installed, the data are not of it.
quietly "$work/apt-17.log" docker exec -e DEBIAN_FRONTEND=noninteractive "$new" apt-get install -y --no-install-recommends postgresql
if play refused.log "$work/role.yml" --limit "$new"; then fail "the role took data of another version"; fi
shows 'the data are of PostgreSQL 15, but this host has 17' cat "$work/refused.log" || { tail -n 30 "$work/refused.log"; fail "not that sentence"; }
shows 'changed=0' cat "$work/refused.log" || fail "it changed something first"
[ "$(checksum "$new")" = "$before" ] || fail "the data changed"

say "An upgrade that the check refuses changes nothing: a disk that is too small"
docker exec "$new" sh -c 'printf "#!/bin/sh\necho Filesystem; echo x 100 99 1 99%% /\n" >/usr/local/bin/df && chmod 755 /usr/local/bin/df'
if play small.log playbooks/upgrade_postgresql.yml --limit "$new"; then fail "the upgrade did not look at the disk"; fi
docker exec "$new" rm /usr/local/bin/df
shows 'make room' cat "$work/small.log" || { tail -n 30 "$work/small.log"; fail "not that sentence"; }
[ "$(checksum "$new")" = "$before" ] || fail "the data changed"

say "Check mode says what would be done, and nothing that was not"
bring_stale "$new" 17 2.0
play check.log playbooks/upgrade_postgresql.yml --limit "$new" --check || { tail -n 40 "$work/check.log"; fail "check mode failed"; }
shows 'PostgreSQL 15 becomes 17' cat "$work/check.log" || fail "check mode does not say what would be done"
if shows 'pg_dropcluster' cat "$work/check.log"; then fail "check mode advises to drop the only data"; fi
if shows 'changed=0' cat "$work/check.log"; then fail "check mode calls an upgrade no change"; fi
[ "$(checksum "$new")" = "$before" ] || fail "the data changed"

say "lemp.stack.upgrade_postgresql"
play upgrade.log playbooks/upgrade_postgresql.yml --limit "$new" || { tail -n 40 "$work/upgrade.log"; fail "the upgrade failed"; }
[ "$(docker exec -u postgres -w / "$new" psql -XAtc 'SHOW server_version_num' | cut -c1-2)" = 17 ] || fail "the server is not 17"
after=$(checksum "$new")
[ "$after" = "$before" ] || fail "the data changed: $before before, $after after"
[ "$(signs_in "$new" of-the-Shop-1)" = 200000 ] || fail "the site does not get in"
if signs_in "$new" wrong >/dev/null 2>&1; then fail "a wrong password gets in"; fi
[ "$(as_postgres "$new" <<<"SHOW data_checksums")" = on ] || fail "no data checksums"

[ "$(as_postgres "$new" <<<"SELECT number FROM numbers WHERE number @> '08001'")" = 0800 ] || fail "what the further package brought does not work"

say "An extension that refuses holds up neither the others nor the statistics, and is named until it gives in"
[ "$(outdated "$new")" = stale ] || fail "outdated: $(outdated "$new")"
[ "$(as_postgres "$new" <<<"SELECT count(*) > 0 FROM pg_statistic WHERE starelid = 'orders'::regclass")" = t ] || fail "no statistics"
shows 'stale 1.0 in shop: the server refused' cat "$work/upgrade.log" || { grep -A4 'Name extensions' "$work/upgrade.log"; fail "it is not named"; }
shows 'no update path' cat "$work/upgrade.log" || fail "no reason"
docker exec "$new" sh -c 'echo "SELECT 1;" >/usr/share/postgresql/17/extension/stale--1.0--2.0.sql'
play resumed.log playbooks/upgrade_postgresql.yml --limit "$new" || { tail -n 30 "$work/resumed.log"; fail "the unfinished upgrade does not go on"; }
[ -z "$(outdated "$new")" ] || fail "outdated: $(outdated "$new")"

say "A third run changes nothing"
play again.log playbooks/upgrade_postgresql.yml --limit "$new" || { tail -n 30 "$work/again.log"; fail "the third run failed"; }
shows 'changed=0' cat "$work/again.log" || { grep '^changed' "$work/again.log"; fail "the third run changed something"; }

say "The way back: the old data start as they were"
docker exec "$new" sh -c 'systemctl stop postgresql@17-main && pg_ctlcluster 15 main start && pg_lsclusters'
back=$(docker exec -i -u postgres -w / "$new" psql --cluster 15/main -XAtq shop <<<"SELECT md5(string_agg(t::text, ',' ORDER BY id)) || ' ' || count(*) || ' ' || sum(amount) FROM orders t")
[ "$back" = "$before" ] || fail "the old data changed: $back"
say "PostgreSQL 15 to 17 with the same data, and back"
