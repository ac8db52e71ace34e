#!/usr/bin/env bash
# pgbench against role postgresql's values and against the distribution's own, turn about in one container and on the same data.
# SIZES="1024 4096" SECONDS_OF_LOAD=60 RUNS=3 benchmarks/postgresql.sh; KEEP=1 leaves the hosts. Only settings differ: the files
# of the role are taken out of conf.d and put back.
. "$(dirname "$0")/common.sh"

sizes=${SIZES:-1024 4096}
seconds=${SECONDS_OF_LOAD:-60}
clients=${CLIENTS:-8}
results=$work/postgresql
trap remove_hosts EXIT

rm -rf "$results"
mkdir -p "$results"
molecule/images/build.sh debian13 >/dev/null

cat >"$results/role.yml" <<'YAML'
---
- name: Run the role
  hosts: all
  roles: [lemp.stack.postgresql]
YAML

bench() { docker exec -u postgres -w / "$host" "$@"; } # command...

use() { # plan or distribution
  local kept=/etc/postgresql/$version/lemp
  docker exec "$host" sh -eu -c "mkdir -p $kept; cd /etc/postgresql/$version/main/conf.d
    case $1 in distribution) mv 6*-lemp*.conf $kept/ ;; plan) mv $kept/* . ;; esac 2>/dev/null || true
    systemctl restart postgresql@$version-main"
  bench psql -XAtc 'CHECKPOINT' bench >/dev/null
}

rate() { # workload, arguments of pgbench...
  local workload=$1; shift
  bench pgbench -n -T "$seconds" -c "$clients" -j 2 "$@" bench >"$results/$size-$workload.log" 2>&1 ||
    { cat "$results/$size-$workload.log" >&2; fail "pgbench failed"; }
  sed -nE 's/^tps = ([0-9.]+).*/\1/p' "$results/$size-$workload.log"
}

# A report over the largest table: sorts and hashes, which is what work_mem is for.
report='SELECT bid, count(DISTINCT abalance), sum(abalance) FROM pgbench_accounts GROUP BY bid ORDER BY 3'

for size in $sizes; do
  host=lemp-benchmark-postgresql-$size
  hosts+=("$host")
  say "Host with $size MB: the role, and data of a third of its memory"
  start_host "$host" debian13 "$size"
  printf 'all: {hosts: {%s: {ansible_connection: community.docker.docker, ansible_python_interpreter: /usr/bin/python3}}}\n' \
    "$host" >"$results/$size.yml"
  play "postgresql/$size-role.log" -i "$results/$size.yml" "$results/role.yml"
  version=$(docker exec "$host" sh -c 'ls -d /etc/postgresql/*/main' | cut -d/ -f4)
  bench createdb bench
  bench pgbench -q -i -s $((size / 45)) bench >"$results/$size-init.log" 2>&1
  bench sh -c "echo \"$report\" >/tmp/report.sql"
  for run in $(seq "$runs"); do
    for configuration in plan distribution; do
      use "$configuration"
      for workload in tpcb select report; do
        case $workload in
          tpcb) value=$(rate tpcb) ;;
          select) value=$(rate select -S) ;;
          report) value=$(rate report -f /tmp/report.sql) ;;
        esac
        echo "$value" >>"$results/$size-$workload-$configuration.tps"
        say "  run $run, $configuration, $workload: $value/s"
      done
    done
  done
  [ -n "${KEEP:-}" ] || docker rm -f "$host" >/dev/null
done

say "Transactions per second, median of $runs runs of $seconds s with $clients clients"
printf '%6s %-9s %10s %13s %6s\n' MB workload plan distribution ratio
for size in $sizes; do
  for workload in tpcb select report; do
    plan=$(median <"$results/$size-$workload-plan.tps")
    distribution=$(median <"$results/$size-$workload-distribution.tps")
    printf '%6s %-9s %10.1f %13.1f %6.2f\n' "$size" "$workload" "$plan" "$distribution" \
      "$(awk -v a="$plan" -v b="$distribution" 'BEGIN { print a / b }')"
  done
done
