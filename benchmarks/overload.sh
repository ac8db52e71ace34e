#!/usr/bin/env bash
# Hosts of several sizes under twice the load that saturates them: as planned, as the distribution ships it, as folklore has it.
# SIZES="512 1024" SECONDS_OF_LOAD=60 benchmarks/overload.sh; KEEP=1 leaves the hosts, CONNECTIONS=64 skips the search for the load.
. "$(dirname "$0")/common.sh"

sizes=${SIZES:-512 1024 2048 4096}
seconds=${SECONDS_OF_LOAD:-180}
ramp_seconds=${SECONDS_OF_RAMP:-8}
site=overload.lemp.test
results=$work/overload
trap remove_hosts EXIT

need wrk wrk
rm -rf "$results"
mkdir -p "$results"
molecule/images/build.sh debian13 >/dev/null

inventory() { # host
  cat <<YAML
all:
  hosts:
    $1:
      ansible_connection: community.docker.docker
      ansible_become: false
      ansible_python_interpreter: /usr/bin/python3
      baseline_container: true
      lemp_sites:
        - name: overload
          domains: [$site]
          app: wordpress
          wordpress: {title: Overload, admin_user: anna, admin_email: anna@lemp.test, admin_password: benchmark-1}
          database: {password: of-overload}
  children: {web: {hosts: {$1: }}, database: {hosts: {$1: }}}
YAML
}

# Two threads, because wrk gives every thread the same number of connections and the smallest load is two.
load() { # address, connections, seconds, result
  OVERLOAD_ADDRESS=$1 OVERLOAD_RESULT=$4 \
    wrk --threads 2 --connections "$2" --duration "${3}s" --timeout 60s --script benchmarks/overload/load.lua "https://$site/" >"$4.log" 2>&1 ||
    { cat "$4.log" >&2; fail "wrk failed"; }
}

answers() { # address
  curl -sk -o /dev/null --max-time 20 --fail --resolve "$site:443:$1" "https://$site/"
}

configure() { # host, address, configuration
  local attempt
  # Not a failure of the benchmark: a host too small for its configuration is what it is about.
  docker exec "$1" sh /root/configure.sh "$3" || say "  $3: its services do not all start"
  for attempt in $(seq 10); do
    ! answers "$2" || return 0
    sleep 1
  done
  say "  $3: no front page after $attempt attempts"
}

# The smallest number of connections of which neither twice nor four times as many get a tenth more requests answered. Two
# steps, because one is easily slowed down by whatever else the machine does.
saturation() { # host, address
  local connections rate best=0 at=0 without=0
  for connections in 2 4 8 16 32 64; do
    load "$2" "$connections" "$ramp_seconds" "$results/$1-ramp-$connections.json"
    rate=$(python benchmarks/overload/table.py rate "$results/$1-ramp-$connections.json")
    say "  $connections connections: $rate requests/s" >&2
    if awk -v now="$rate" -v best="$best" 'BEGIN { exit !(now >= 1.1 * best) }'; then
      best=$rate at=$connections without=0
    else
      without=$((without + 1))
      [ "$without" -lt 2 ] || break
    fi
  done
  echo "$at"
}

# A host without memory kills what is started in it to look at it, too.
inside() { # host, command...
  local host=$1 attempt; shift
  for attempt in $(seq 10); do
    if docker exec "$host" "$@"; then return 0; fi
    sleep 1
  done
  fail "$host: '$*' fails $attempt times"
}

restarts() { # host
  inside "$1" systemctl show -P NRestarts "${units[@]}" | awk 'NF { sum += $1 } END { print sum + 0 }'
}

# Until it was told to stop, however often it is killed.
sample() { # host
  local attempt
  for attempt in $(seq 100); do
    if docker exec "$1" python3 -S -E /root/sampler.py /run/overload.stop /run/overload.beginning "${units[@]}"; then return 0; fi
    sleep 0.2
  done
  fail "$1: the sampler was killed $attempt times"
}

measure() { # host, address, configuration, connections
  local host=$1 address=$2 configuration=$3 connections=$4 base=$results/$1-$3 sampler before
  configure "$host" "$address" "$configuration"
  load "$address" 2 5 "$base-warm.json"
  inside "$host" sh -c 'rm -f /run/overload.stop /run/overload.beginning; : >/var/log/nginx/overload.access.log'
  before=$(restarts "$host")
  sample "$host" >"$base.samples" &
  sampler=$!
  load "$address" "$connections" "$seconds" "$base.json"
  inside "$host" touch /run/overload.stop
  wait "$sampler"
  echo $(($(restarts "$host") - before)) >"$base.restarts"
  inside "$host" sh -c 'systemctl is-active "$@" || true' sh "${units[@]}" >"$base.active"
  inside "$host" cat /var/log/nginx/overload.access.log >"$base.log"
  python benchmarks/overload/table.py line "$base"
}

for size in $sizes; do
  host=lemp-overload-$size
  say "Host with $size MB: site.yml"
  hosts+=("$host")
  start_host "$host" debian13 "$size" --memory-swap "${size}m"
  inventory "$host" >"$results/$host.yml"
  play "overload/$host.log" -i "$results/$host.yml" site.yml
  play "overload/$host-plan.log" -i "$results/$host.yml" -e "lemp_plan_directory=$results" playbooks/plan.yml
  address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$host")
  fpm=$(docker exec "$host" sh -c 'basename -s .service /lib/systemd/system/php*-fpm.service')
  units=(nginx "$fpm" mariadb)
  for file in sampler.py configure.sh; do docker exec -i "$host" sh -c "cat >/root/$file" <benchmarks/overload/$file; done

  connections=${CONNECTIONS:-}
  if [ -z "$connections" ]; then
    say "Host with $size MB: how many connections saturate its plan"
    configure "$host" "$address" plan
    load "$address" 2 5 "$results/$host-warm.json"
    connections=$((2 * $(saturation "$host" "$address")))
  fi
  echo "$connections" >"$results/$host.connections"
  for configuration in plan distribution folklore; do
    say "Host with $size MB: $configuration, $connections connections for $seconds s"
    measure "$host" "$address" "$configuration" "$connections"
  done
  [ -n "${KEEP:-}" ] || docker rm -f "$host" >/dev/null
done

say "Overload: $seconds s of ${CONNECTIONS:-twice the} connections${CONNECTIONS:+, as told}"
# shellcheck disable=SC2086  # one word per size
python benchmarks/overload/table.py table "$results" $sizes
