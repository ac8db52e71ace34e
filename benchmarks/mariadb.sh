#!/usr/bin/env bash
# sysbench OLTP against one MariaDB, with the plan's values and with the distribution's, in turns, so that both see the same
# machine. MEMORY=2048 TABLES=4 ROWS=200000 THREADS=8 SECONDS_OF_LOAD=60 RUNS=3 benchmarks/mariadb.sh; KEEP=1 leaves the host.
. "$(dirname "$0")/common.sh"

memory=${MEMORY:-2048} tables=${TABLES:-4} rows=${ROWS:-200000} threads=${THREADS:-8} seconds=${SECONDS_OF_LOAD:-60}
host=lemp-bench-mariadb
results=$work/mariadb
config=/etc/mysql/mariadb.conf.d/60-lemp.cnf
trap remove_hosts EXIT
rm -rf "$results"
mkdir -p "$results"

say "A host of $memory MB with MariaDB alone, $tables tables of $rows rows"
start_host "$host" debian13 "$memory" --memory-swap "${memory}m"
hosts+=("$host")
cat >"$results/play.yml" <<YAML
- hosts: all
  gather_facts: true
  roles:
    - role: lemp.stack.mariadb
      vars:
        mariadb_databases: [sbtest]
        mariadb_users:
          - name: sbtest
            password: of-the-benchmark
            privileges: [{database: sbtest, grant: [ALL]}]
YAML
play mariadb/play.log -i "$host," -c community.docker.docker -e ansible_python_interpreter=/usr/bin/python3 "$results/play.yml"
docker exec "$host" sh -c 'DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends sysbench' >"$results/sysbench.log" 2>&1 ||
  fail "sysbench cannot be installed (log: $results/sysbench.log)"

bench() { # test, action, further arguments...
  local test=$1 action=$2; shift 2
  docker exec "$host" sysbench "$test" --mysql-socket=/run/mysqld/mysqld.sock --mysql-user=sbtest --mysql-password=of-the-benchmark \
    --tables="$tables" --table-size="$rows" --threads="$threads" --time="$seconds" --percentile=99 "$@" "$action"
}

configure() { # plan | distribution
  # What guards and connects stays; what the plan computed goes.
  docker exec "$host" sh -c '
    [ -e /root/planned ] || cp "$1" /root/planned
    case $0 in
      plan) cp /root/planned "$1" ;;
      distribution) printf "[mariadbd]\nlocal_infile = OFF\nskip_name_resolve = OFF\n" >"$1" ;;
    esac
    systemctl restart mariadb' "$1" "$config"
}

value() { # text before the number
  sed -nE "s/.*$1[^0-9]*([0-9.]+).*/\1/p" | head -n 1
}

bench oltp_read_write prepare >"$results/prepare.log" 2>&1 || { tail -n 5 "$results/prepare.log" >&2; fail "there are no tables"; }
for test in oltp_read_write oltp_read_only oltp_write_only; do
  for run in $(seq "$runs"); do
    for configuration in plan distribution; do
      configure "$configuration"
      bench "$test" run --time=10 >/dev/null
      bench "$test" run >"$results/$test-$configuration-$run.log"
      value 'transactions: +[0-9]+ *\(' <"$results/$test-$configuration-$run.log" >>"$results/$test-$configuration.rates"
      value '99th percentile:' <"$results/$test-$configuration-$run.log" >>"$results/$test-$configuration.p99"
    done
  done
done

docker exec "$host" sh -c 'cp /root/planned "$0" && systemctl restart mariadb' "$config"
say "MariaDB $(docker exec "$host" mariadb -BN -e 'SELECT VERSION()'), $memory MB, $threads threads, $seconds s, medians of $runs"
printf '%-16s %-13s %9s %7s %9s\n' test configuration 'tps' ratio 'p99 ms'
for test in oltp_read_write oltp_read_only oltp_write_only; do
  base=$(median <"$results/$test-distribution.rates")
  for configuration in plan distribution; do
    rate=$(median <"$results/$test-$configuration.rates")
    printf '%-16s %-13s %9.1f %7.2f %9.1f\n' "$test" "$configuration" "$rate" "$(awk "BEGIN { print $rate / $base }")" \
      "$(median <"$results/$test-$configuration.p99")"
  done
done
