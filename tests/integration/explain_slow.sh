#!/usr/bin/env bash
# playbooks/explain_slow.yml against a real MariaDB and a real PostgreSQL in one container: what is slow is named with its rows and
# its full scan, no value is told, nothing changes, and code of a site that waits for somebody with more rights is not run.
# Usage: explain_slow.sh [PLATFORM]; one whose package manager is apt
. "$(dirname "$0")/../../tools/common.sh"

platform=${1:-debian13}
name=lemp-explain-$platform
work=$(mktemp -d)
trap '[ -n "${KEEP:-}" ] || docker rm -f "$name" >/dev/null 2>&1; rm -rf "$work"' EXIT
export ANSIBLE_COLLECTIONS_PATH=$root/collections ANSIBLE_PIPELINING=1 ANSIBLE_NOCOLOR=1

on_host() { docker exec -i "$name" bash -euo pipefail -c 'cd /; export PGPASSWORD=pw; '"$1"; }
explain() { # further arguments of ansible-playbook...
  rm -rf "$work/slow"
  (cd "$work" && ansible-playbook -i "$name," -c community.docker.docker -e ansible_python_interpreter=/usr/bin/python3 \
    "$root/playbooks/explain_slow.yml" "$@") >"$work/output" 2>&1 || { tail -n 40 "$work/output"; fail "the playbook failed"; }
  grep -q 'changed=0 ' "$work/output" || fail "the playbook changed something"
  text=$work/slow/$name.txt page=$work/slow/$name.html
  [ "$(stat -c %a "$work/slow" "$text" "$page" | xargs)" = "700 600 600" ] || fail "the reports are not for their owner alone"
}
told() { # text...
  local expected
  for expected in "$@"; do
    grep -qF -- "$expected" "$text" || { cat "$text"; fail "the text does not say: $expected"; }
  done
}
# What the text says of one statement: a paragraph.
block() { # statement
  awk -v RS= -v wanted="     $1" 'index($0 "\n", "\n" wanted "\n") { print; exit }' "$text"
}
silent() { # where, files...
  local where=$1; shift
  if grep -niE 'geheim|4711' "$@"; then fail "a value is told in $where"; fi
}
# Data and logs of both servers; asking leaves no trace itself.
fingerprint() {
  on_host '
    mariadb -N -e "SET SESSION slow_query_log = OFF; CHECKSUM TABLE shop.orders EXTENDED"
    sha256sum /var/log/mysql/*slow*
    PGOPTIONS="-c log_min_duration_statement=-1" runuser -u postgres -- \
      psql -qAt shop -c "SELECT md5(string_agg(o::text, chr(10) ORDER BY id)) FROM orders AS o"
    grep -c "duration:" /var/log/postgresql/*.log || true
    find /tmp /var/tmp /root -name "*slow*"'
}

start_host "$name" "$platform" 1200
say "Without a server ($platform)"
on_host 'command -v python3 >/dev/null || { apt-get update -qq; apt-get install -qq -y --no-install-recommends python3 >/dev/null; }'
explain
told "No MariaDB and no PostgreSQL listens on a Unix socket of this host."

say "Two servers with fifty thousand rows each and no index on what is looked for"
on_host 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
  mariadb-server mariadb-client postgresql >/dev/null 2>&1'
explain
told "Python's module pymysql is not on the host"
on_host 'DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-pymysql >/dev/null 2>&1'
explain
told "slow_query_log is OFF" "log_min_duration_statement is -1" "No statement was slow."
on_host '
  install -d -o mysql -g adm -m 2750 /var/log/mysql
  mariadb <<SQL
  CREATE DATABASE shop; CREATE USER shop@localhost IDENTIFIED BY "pw"; GRANT ALL ON shop.* TO shop@localhost; USE shop;
  CREATE TABLE orders (id INT PRIMARY KEY, customer VARCHAR(50), total INT);
  INSERT INTO orders SELECT seq, CONCAT("customer-", seq MOD 1000), seq FROM seq_1_to_50000;
  ANALYZE TABLE orders;
  SET GLOBAL slow_query_log_file = "/var/log/mysql/mariadb-slow.log", slow_query_log = ON, long_query_time = 0.001;
SQL
  runuser -u postgres -- psql -q -c "CREATE ROLE shop LOGIN PASSWORD '"'pw'"'" -c "CREATE DATABASE shop OWNER shop"
  runuser -u postgres -- psql -q -c "ALTER SYSTEM SET log_min_duration_statement = 1" -c "SELECT pg_reload_conf()" >/dev/null
  psql -q -h 127.0.0.1 -U shop shop <<SQL
  CREATE TABLE orders (id int PRIMARY KEY, customer text, total int);
  INSERT INTO orders SELECT n, '"'customer-'"' || n % 1000, n FROM generate_series(1, 50000) AS n;
  ANALYZE orders
SQL'
visit() {
  on_host "
    for number in 1 2 3; do
      for client in 'mariadb -ushop -ppw shop -e' 'psql -q -h 127.0.0.1 -U shop shop -c'; do
        \$client \"SELECT COUNT(*) FROM orders WHERE customer = 'geheim-\$number'\" >/dev/null
      done
    done
    for client in 'mariadb --comments -ushop -ppw shop -e' 'psql -q -h 127.0.0.1 -U shop shop -c'; do
      \$client \"UPDATE orders SET total = total + 1 /* geheim */ WHERE customer = 'it''s geheim' AND total > 4711\"
    done"
}
visit

say "MariaDB's log and PostgreSQL's log"
before=$(fingerprint)
explain
[ "$(fingerprint)" = "$before" ] || { diff <(echo "$before") <(fingerprint); fail "explaining left a trace"; }
told "grouped by this collection" "read: /var/log/mysql/mariadb-slow.log" "pg_stat_statements is not loaded"
select_mariadb=$(block 'SELECT COUNT(*) FROM orders WHERE customer = ?')
[[ $select_mariadb == *"count 3,"*"rows read 150,000,"*"! Full scan: reads all of orders, about "*" rows, without an index."*"orders  ALL"* ]] ||
  { cat "$text"; fail "MariaDB's SELECT is not told with its rows and its full scan"; }
[[ $(block 'UPDATE orders SET total = total + ? WHERE customer = ? AND total > ?') == *"! Full scan: reads all of orders"* ]] ||
  { cat "$text"; fail "MariaDB's UPDATE is not explained"; }
select_postgresql=$(block "SELECT COUNT(*) FROM orders WHERE customer = \$1")
[[ $select_postgresql == *"count 3,"*"! Full scan: reads all of orders, about 50,000 rows, without an index."*"Seq Scan on orders"*"(customer = \$1)"* ]] ||
  { cat "$text"; fail "PostgreSQL's SELECT is not told with its rows and its full scan"; }
[[ $(block "UPDATE orders SET total = total + \$1 WHERE customer = \$2 AND total > \$3") == *"Seq Scan on orders"* ]] ||
  { cat "$text"; fail "PostgreSQL's UPDATE is not explained"; }
silent "text, page or output" "$text" "$page" "$work/output"
grep -q "<td>ALL</td>" "$page" || fail "the page has no plan of MariaDB"
explain -vvv
silent "what Ansible says with -vvv" "$work/output"
explain -e explain_slow_show_values=true
told "customer = 'geheim-"

say "What is asked for is less than there is"
explain -e explain_slow_limit=1
[ "$(grep -cE '^  [0-9]+\. ' "$text")" = 2 ] || { cat "$text"; fail "explain_slow_limit=1 tells more than one statement per server"; }
explain -e explain_slow_since_hours=0.0000001
told "No statement was slow."

say "Rotated files, packed too; a link that the server's account could plant"
on_host 'cd /var/log/mysql; cp mariadb-slow.log mariadb-slow.log.1; gzip -c mariadb-slow.log >mariadb-slow.log.2.gz; ln -s /etc/shadow mariadb-slow.log.3'
explain
told "mariadb-slow.log.3 was not read: Too many levels of symbolic links."
[[ $(block 'SELECT COUNT(*) FROM orders WHERE customer = ?') == *"count 9,"* ]] || { cat "$text"; fail "rotated files are not counted"; }
on_host 'rm /var/log/mysql/mariadb-slow.log.*'

say "pt-query-digest and mariadb-dumpslow count the same"
on_host 'DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends percona-toolkit >/dev/null 2>&1'
explain
told "grouped by pt-query-digest"
[ "$(block 'SELECT COUNT(*) FROM orders WHERE customer = ?')" = "$select_mariadb" ] ||
  { diff <(echo "$select_mariadb") <(block 'SELECT COUNT(*) FROM orders WHERE customer = ?'); fail "pt-query-digest counts otherwise"; }
silent "the report by pt-query-digest" "$text" "$page"
# mariadb-dumpslow takes a statement that the server logged with its time of day for another one.
dumped=$(on_host 'mariadb-dumpslow -g COUNT /var/log/mysql/mariadb-slow.log 2>/dev/null' | awk '/^Count: / { sum += $2 } END { print sum }')
[ "$dumped" = 3 ] || fail "mariadb-dumpslow counts $dumped"

say "pg_stat_statements"
on_host 'runuser -u postgres -- psql -q -c "ALTER SYSTEM SET shared_preload_libraries = '"'pg_stat_statements'"'"
  systemctl restart postgresql
  for _ in $(seq 50); do pg_isready -q && break; sleep 0.1; done
  runuser -u postgres -- psql -q shop -c "CREATE EXTENSION pg_stat_statements"'
visit
calls() { on_host 'runuser -u postgres -- psql -qAt shop -c "SELECT sum(calls) FROM pg_stat_statements WHERE query !~ '"'pg_stat_statements'"'"'; }
before=$(calls)
explain
[ "$(calls)" = "$before" ] || fail "what explain_slow asks is counted by pg_stat_statements"
told "pg_stat_statements, which counts since it was reset"
[[ $(block "SELECT COUNT(*) FROM orders WHERE customer = \$1") == *"count 3,"*"! Full scan: reads all of orders, about 50,000 rows"* ]] ||
  { cat "$text"; fail "pg_stat_statements is not told"; }
silent "the report by pg_stat_statements" "$text" "$page"

say "Functions that a site wrote for somebody with more rights"
# They do nothing to the site's own user, and drop the role that a superuser took on.
on_host '
  mariadb -ushop -ppw shop <<SQL
  delimiter //
  CREATE FUNCTION spy() RETURNS INT DETERMINISTIC SQL SECURITY INVOKER
  BEGIN IF CURRENT_USER() LIKE "root@%" THEN SELECT "x" INTO OUTFILE "/var/lib/mysql/spied"; END IF; RETURN 1; END//
SQL
  psql -q -h 127.0.0.1 -U shop shop <<SQL
  CREATE FUNCTION spy_more() RETURNS int LANGUAGE plpgsql AS \$\$ BEGIN
    PERFORM set_config('"'role', 'none'"', false);
    IF current_setting('"'is_superuser') = 'on'"' THEN COPY (SELECT 1) TO PROGRAM '"'touch /var/lib/postgresql/spied'"'; END IF;
    RETURN 1;
  END \$\$;
  CREATE FUNCTION spy() RETURNS int IMMUTABLE LANGUAGE plpgsql AS \$\$ BEGIN RETURN spy_more(); END \$\$;
SQL
  mariadb -ushop -ppw shop -e "SELECT SLEEP(0.1) FROM orders WHERE id = spy()" >/dev/null
  psql -q -h 127.0.0.1 -U shop shop -c "SELECT pg_sleep(0.1) FROM orders WHERE id = spy()" >/dev/null'
spied() { on_host 'ls /var/lib/mysql/spied /var/lib/postgresql/spied 2>/dev/null || true'; }
explain
[ -z "$(spied)" ] || fail "explaining ran a site's code with more rights: $(spied)"
[[ $(block 'SELECT SLEEP(?) FROM orders WHERE id = spy()') == *"Database shop has functions, which planning could run with root's rights"* ]] ||
  { cat "$text"; fail "MariaDB's function is not told"; }
[[ $(block "SELECT pg_sleep(\$1) FROM orders WHERE id = spy()") == *"Its database has functions of its owner"* ]] ||
  { cat "$text"; fail "PostgreSQL's function is not told"; }
# That there is something to refuse, and that another role is no protection.
on_host 'mariadb shop -e "EXPLAIN SELECT SLEEP(0.1) FROM orders WHERE id = spy()" >/dev/null 2>&1 || true # a second run finds the file
  runuser -u postgres -- psql -q shop -c "BEGIN READ ONLY" -c "SET LOCAL ROLE shop" -c "EXPLAIN SELECT 1 FROM orders WHERE id = spy()" >/dev/null'
[ "$(spied | wc -l)" = 2 ] || fail "the functions do nothing that could be refused: $(spied)"

say "The slowest statements are explained, without a trace and without their values"
