# Sourced by the other tools: where things are and how they speak.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
export PATH="$root/.venv/bin:$PATH"
export PYTHONWARNINGS="${PYTHONWARNINGS:-ignore}" PIP_DISABLE_PIP_VERSION_CHECK=1
export DOCKER_HOST="${DOCKER_HOST:-unix:///var/run/docker.sock}"

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
