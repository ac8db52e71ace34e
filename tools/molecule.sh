#!/usr/bin/env bash
# One scenario on one platform, with what molecule alone does not assert: both check runs tell the truth (nothing fails on
# the bare host, nothing would change on the converged one) and no run prints a deprecation warning.
# Usage: molecule.sh SCENARIO PLATFORM
. "$(dirname "$0")/common.sh"

scenario=$1
export PLATFORM=$2 MOLECULE_GLOB='molecule/*/molecule.yml' ANSIBLE_FORCE_COLOR=0 PY_COLORS=0 NO_COLOR=1
export MOLECULE_EPHEMERAL_DIRECTORY="$root/.cache/molecule/$scenario-$PLATFORM"
log=.cache/log/molecule-$scenario-$PLATFORM.log
[ -f "molecule/$scenario/molecule.yml" ] || fail "no scenario $scenario; there are: $(ls -d molecule/*/molecule.yml | cut -d/ -f2 | xargs)"
need ssh openssh-client
mkdir -p "$(dirname "$log")" "$MOLECULE_EPHEMERAL_DIRECTORY"
: >"$log"
started=$SECONDS

step() { # name, molecule action...
  local name=$1 mark=$SECONDS; shift
  printf '%s %s: %s\n' "$scenario" "$PLATFORM" "$name"
  local from; from=$(wc -l <"$log")
  if ! molecule "$@" -s "$scenario" >>"$log" 2>&1 </dev/null; then
    tail -n +"$((from + 1))" "$log" | grep -vE '^\s*$' | tail -n 60 >&2
    [ -n "${KEEP:-}" ] || molecule destroy -s "$scenario" >>"$log" 2>&1 || true
    fail "$scenario on $PLATFORM failed at: $name (log: $log)"
  fi
  output=$(tail -n +"$((from + 1))" "$log")
  printf '%s %s: %s took %ss\n' "$scenario" "$PLATFORM" "$name" "$((SECONDS - mark))" >>"$log"
  if grep -q 'DEPRECATION WARNING' <<<"$output"; then
    grep -A2 'DEPRECATION WARNING' <<<"$output" >&2
    fail "$scenario on $PLATFORM: a deprecation warning at: $name"
  fi
}

nothing_would_change() {
  local changed; changed=$(grep -oE 'changed=[0-9]+' <<<"$output" | grep -v 'changed=0' || true)
  [ -z "$changed" ] || { grep -E '^(changed|TASK)|changed=' <<<"$output" | grep -B1 '^changed' >&2; fail "$scenario on $PLATFORM: $1 reports changes"; }
}

step "destroy" destroy
step "create and prepare" create
ANSIBLE_DIFF_ALWAYS=1 step "check on the bare host" check
step "converge" converge
ANSIBLE_DIFF_ALWAYS=1 step "check on the converged host" check
nothing_would_change "check mode on the converged host"
step "idempotence" idempotence
step "verify" verify
[ -n "${KEEP:-}" ] || step "destroy" destroy
printf '%s %s: passed in %ss\n' "$scenario" "$PLATFORM" "$((SECONDS - started))"
