#!/usr/bin/env bash
# PostgreSQL, Redis and Memcached with nearly all their planned clients at work: what they take against what the plan charges for them.
# SIZES="1024" SECONDS_OF_LOAD=60 benchmarks/charges.sh; KEEP=1 leaves the hosts.
. "$(dirname "$0")/common.sh"

sizes=${SIZES:-768 2048}
seconds=${SECONDS_OF_LOAD:-60}
results=$work/charges
trap remove_hosts EXIT

rm -rf "$results"
mkdir -p "$results"
molecule/images/build.sh debian13 >/dev/null

for size in $sizes; do
  host=lemp-charges-$size
  base=$results/$size
  say "Host of $size MB: three services as planned, $seconds s of load"
  hosts+=("$host")
  # Twice the memory that is planned for, so that the measurement is not cut off where a charge ends.
  start_host "$host" debian13 $((2 * size + 1024))
  quietly "$base-apt.log" docker exec -e DEBIAN_FRONTEND=noninteractive "$host" sh -c \
    'apt-get update && apt-get install -y --no-install-recommends postgresql redis-server memcached'
  version=$(docker exec "$host" ls /etc/postgresql)
  python benchmarks/charges/plan.py "$size" "$version" "$base"
  docker cp -q "$base-postgresql.conf" "$host:/etc/postgresql/$version/main/conf.d/planned.conf"
  docker cp -q "$base-redis.conf" "$host:/etc/redis/planned.conf"
  docker cp -q "$base-memcached.conf" "$host:/etc/memcached.conf"
  docker cp -q benchmarks/charges/. "$host:/opt/charges"
  docker cp -q benchmarks/overload/sampler.py "$host:/opt/charges/"
  docker exec "$host" sh -eu -c "
    chmod 644 /etc/postgresql/$version/main/conf.d/planned.conf /etc/redis/planned.conf /etc/memcached.conf
    echo 'include /etc/redis/planned.conf' >>/etc/redis/redis.conf
    # Debian's own configuration listens on an address that a container need not have, until systemd gives up.
    systemctl reset-failed memcached
    systemctl restart postgresql@$version-main redis-server memcached
    cd /tmp
    runuser -u postgres -- createdb bench
    runuser -u postgres -- pgbench -q -i -s $((size / 40)) bench 2>/dev/null"
  docker exec "$host" python3 /opt/charges/sampler.py /run/stop /run/beginning \
    "system-postgresql.slice/postgresql@$version-main" redis-server memcached >"$base.samples" &
  sampler=$!
  docker exec "$host" python3 /opt/charges/load.py "$seconds" || fail "the load failed"
  docker exec "$host" touch /run/stop
  wait "$sampler"
  [ -n "${KEEP:-}" ] || docker rm -f "$host" >/dev/null
done

say "Charges of the plan and what was taken of them, $seconds s of load"
# shellcheck disable=SC2086  # one word per size
python benchmarks/charges/table.py "$results" $sizes
