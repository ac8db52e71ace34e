#!/usr/bin/env bash
# Everything that CI runs: linters, unit tests, every scenario on Debian 13 and the whole stack on the platforms named below (the
# rest is for make matrix), the demo, twice, the three ways in, slow statements and capacity of containers. Ends with a table.
. "$(dirname "$0")/common.sh"

platform=debian13
# One of each family; emulated arm64 first, because it takes longest.
others=${OTHER_PLATFORMS-raspios13 rocky9 rocky10 ubuntu2404}
scenarios=$(cd molecule && ls -d */molecule.yml | cut -d/ -f1)
results=.cache/results
rm -rf "$results"
mkdir -p "$results" .cache/log
started=$SECONDS

run() { # name, command...
  local name=$1 mark=$SECONDS status=passed; shift
  "$@" >".cache/log/test-${name// /-}.log" 2>&1 </dev/null || status=FAILED
  printf '%-28s %s %4ds\n' "$name" "$status" "$((SECONDS - mark))" | tee "$results/${name// /-}"
  [ "$status" = passed ] || { tail -n 60 ".cache/log/test-${name// /-}.log" | sed 's/^/    /'; return 1; }
}
export -f run
export results root

two_at_a_time() { # reads jobs, one a line
  xargs -P 2 -I{} bash -c 'set -- {}; job "$@"'
}

job() { # lint, unit, a test of tests/integration, image PLATFORM, or SCENARIO PLATFORM
  case $1 in
    lint) run lint tools/lint.sh ;;
    unit) run unit python -m pytest -q tests/unit ;;
    demo | entry_points | explain_slow) run "${1//_/ }" "tests/integration/$1.sh" ;;
    image) run "image $2" molecule/images/build.sh "$2" ;;
    *) run "$1 $2" tools/molecule.sh "$1" "$2" ;;
  esac
}
export -f job

failed=0
say "Images, linters and unit tests, two at a time"
# Beforehand, because two package managers at a time do not go together.
need mmdebstrap "mmdebstrap debian-archive-keyring"
need ssh openssh-client
need curl curl
# shellcheck disable=SC2086  # names without blanks
{ printf 'image %s\n' $others $platform; echo lint; echo unit; } | two_at_a_time || failed=1
grep -E ' (passed|failed)' .cache/log/test-unit.log | tail -n 1 || true

say "Scenarios (Debian is built from its package mirror, the others are stand-ins), demo, ways in, slow statements; two at a time"
# A third of the interruptions that the scenario is worth by itself.
export LEMP_KILLS=${LEMP_KILLS:-160} LEMP_CONTROLLER_KILLS=${LEMP_CONTROLLER_KILLS:-7} LEMP_RELOADS=${LEMP_RELOADS:-34}
# shellcheck disable=SC2086  # names without blanks
{ printf 'default %s\n' $others; printf '%s '"$platform"'\n' $scenarios; printf '%s\n' demo entry_points explain_slow; } |
  two_at_a_time || failed=1

say "Capacity of containers, alone, because it is timed"
run capacity tests/integration/capacity.sh || failed=1

say "Results"
cat "$results"/*
count() { { grep -l " $1 " "$results"/* || true; } | wc -l; }
printf 'total time %ds\n%d passed, %d failed\n' "$((SECONDS - started))" "$(count passed)" "$(count FAILED)"
exit "$failed"
