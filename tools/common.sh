# Sourced by the other tools: where things are and how they speak.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export PATH="$root/.venv/bin:$PATH"
export PYTHONWARNINGS="${PYTHONWARNINGS:-ignore}" PIP_DISABLE_PIP_VERSION_CHECK=1
DOCKER_HOST=${DOCKER_HOST:-$(docker context inspect -f '{{.Endpoints.docker.Host}}' 2>/dev/null || echo unix:///var/run/docker.sock)}
export DOCKER_HOST

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Run a long command with its output in a file, and a dot every two seconds to show that it moves.
quietly() { # log file, command...
  local log=$1 status=0; shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 &
  local pid=$!
  while kill -0 "$pid" 2>/dev/null; do printf .; sleep 2; done
  wait "$pid" || status=$?
  echo
  [ "$status" -eq 0 ] || { tail -n 40 "$log" >&2; fail "that failed (exit $status); the whole output is in $log"; }
}

# Programs that the tools call, from the distribution where root may install them.
need() { # program, Debian package
  command -v "$1" >/dev/null && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "install $1 (Debian: apt-get install $2), then run this again"
  say "Installing $2"
  quietly ".cache/log/need-$2.log" sh -c "apt-get update && apt-get install -y --no-install-recommends $2"
}

# Whether a command's output holds a text. Not a pipe into grep -q: that ends at the first hit, and the command with an error.
shows() { # text, command...
  local text=$1 output; shift
  output=$("$@") && [[ $output == *"$text"* ]]
}

# Start a container that boots like a host: systemd as PID 1, without --privileged.
start_host() { # name, platform, memory in MB, further arguments of docker run...
  local name=$1 platform=$2 memory=$3; shift 3
  docker rm -f "$name" >/dev/null 2>&1 || true
  docker run -d --name "$name" --hostname "$name" --memory "${memory}m" \
    --cap-add SYS_ADMIN --cap-add NET_ADMIN --cap-add SYS_PTRACE --security-opt seccomp=unconfined \
    --cgroupns host -v /sys/fs/cgroup:/sys/fs/cgroup:rw --tmpfs /run:exec --tmpfs /run/lock \
    "$@" "lemp-test/$platform" >/dev/null || return 1
  wait_for_boot "$name"
}

wait_for_boot() { # name
  local name=$1 state
  for _ in $(seq 120); do
    state=$(docker exec "$name" systemctl is-system-running 2>/dev/null || true)
    [ "$state" = running ] && return 0
    sleep 0.5
  done
  docker exec "$name" systemctl --failed
  fail "container $name is '$state' after a minute instead of running"
}
