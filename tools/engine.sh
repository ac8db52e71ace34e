#!/usr/bin/env bash
# A Docker engine that answers: the one that runs, else one installed and started here.
. "$(dirname "$0")/common.sh"

docker info >/dev/null 2>&1 && exit 0

if ! command -v dockerd >/dev/null; then
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
    fail "no Docker engine answers; install and start one (Debian: apt-get install docker.io), then run this again"
  say "Installing a Docker engine (docker.io)"
  quietly .cache/log/engine-apt.log sh -c \
    'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends docker.io iptables'
fi

if [ -d /run/systemd/system ]; then
  systemctl start docker
elif ! docker info >/dev/null 2>&1; then
  [ "$(id -u)" = 0 ] || fail "no Docker engine answers; start dockerd as root, then run this again"
  say "Starting the Docker engine (log: .cache/log/dockerd.log)"
  mkdir -p .cache/log
  # A pid file that outlived its dockerd would keep the new one from starting.
  pidfile=/var/run/docker.pid
  if [ -f $pidfile ] && ! grep -qs dockerd "/proc/$(cat $pidfile)/comm"; then rm -f $pidfile; fi
  setsid nohup dockerd >.cache/log/dockerd.log 2>&1 </dev/null &
fi
for _ in $(seq 60); do
  docker info >/dev/null 2>&1 && exit 0
  sleep 1
done
fail "the Docker engine did not answer within 60 seconds; see .cache/log/dockerd.log or 'journalctl -u docker'"
