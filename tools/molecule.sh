#!/usr/bin/env bash
# One scenario on one platform, with what molecule alone does not assert: both check runs tell the truth (nothing fails on
# the bare host, nothing would change on the converged one) and no run prints a deprecation warning. The result goes to
# .cache/matrix/ as well.
# Usage: molecule.sh SCENARIO PLATFORM
. "$(dirname "$0")/common.sh"

scenario=$1
export PLATFORM=$2 MOLECULE_GLOB='molecule/*/molecule.yml' ANSIBLE_FORCE_COLOR=0 PY_COLORS=0 NO_COLOR=1
export MOLECULE_EPHEMERAL_DIRECTORY="$root/.cache/molecule/$scenario-$PLATFORM"
log=.cache/log/molecule-$scenario-$PLATFORM.log
outputs=.cache/log/molecule-$scenario-$PLATFORM
[ -f "molecule/$scenario/molecule.yml" ] || fail "no scenario $scenario; there are: $(ls -d molecule/*/molecule.yml | cut -d/ -f2 | xargs)"
need ssh openssh-client
rm -rf "$outputs"
mkdir -p "$outputs" "$MOLECULE_EPHEMERAL_DIRECTORY"
touch "$outputs/converge" "$outputs/idempotence"
: >"$log"
case $PLATFORM in raspios*) molecule/images/raspios/emulation.sh ;; esac
image=$(docker image inspect -f '{{index .Config.Labels "lemp.image"}}' "lemp-test/$PLATFORM" 2>/dev/null) ||
  fail "no image for $PLATFORM: run molecule/images/build.sh $PLATFORM"
started=$SECONDS

record() { # further arguments...
  python tools/matrix_table.py record "$scenario" "$PLATFORM" ".cache/matrix/$scenario-$PLATFORM.json" --seconds "$((SECONDS - started))" \
    --image "${image:-unknown}" --first-run "$outputs/converge" --second-run "$outputs/idempotence" "$@"
}

failed() { # step, what is wrong
  [ -n "${KEEP:-}" ] || molecule destroy -s "$scenario" >>"$log" 2>&1 </dev/null || true
  record --failed-at "$1"
  fail "$scenario on $PLATFORM $2"
}

step() { # name, molecule action...
  local name=$1 mark=$SECONDS output status=0; shift
  output=$outputs/${name// /-}
  printf '%s %s: %s\n' "$scenario" "$PLATFORM" "$name"
  molecule "$@" -s "$scenario" >"$output" 2>&1 </dev/null || status=$?
  cat "$output" >>"$log"
  printf '%s %s: %s took %ss\n' "$scenario" "$PLATFORM" "$name" "$((SECONDS - mark))" >>"$log"
  if [ "$status" -ne 0 ]; then
    grep -vE '^\s*$' "$output" | tail -n 60 >&2
    failed "$name" "failed at: $name (log: $log)"
  fi
  if grep -A2 'DEPRECATION WARNING' "$output" >&2; then failed "$name" "prints a deprecation warning at: $name"; fi
}

nothing_would_change() { # name of the step
  local output=$outputs/${1// /-}
  if grep -qE 'changed=[1-9]' "$output"; then
    grep -E '^(changed|TASK)|changed=' "$output" | grep -B1 '^changed' >&2 || true
    failed "$1" "reports changes at: $1"
  fi
}

step "destroy" destroy
step "create and prepare" create
ANSIBLE_DIFF_ALWAYS=1 step "check on the bare host" check
step "converge" converge
ANSIBLE_DIFF_ALWAYS=1 step "check on the converged host" check
nothing_would_change "check on the converged host"
step "idempotence" idempotence
step "verify" verify
[ -n "${KEEP:-}" ] || step "destroy" destroy
record
