#!/usr/bin/env bash
# Everything that CI runs: lint, unit tests, every scenario on Debian 13 and the whole stack on the platforms named below (two at
# a time; the rest is for make matrix), capacity of containers, the demo and the three ways in. Ends with a table.
. "$(dirname "$0")/common.sh"

platform=debian13
# The longest first: arm64 is emulated.
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

say "Lint and unit tests"
failed=0
run lint tools/lint.sh || failed=1
run unit python -m pytest -q tests/unit || failed=1
grep -E ' (passed|failed)' .cache/log/test-unit.log | tail -n 1 || true

say "Images"
for name in $platform $others; do run "image $name" molecule/images/build.sh "$name" || failed=1; done

say "Scenarios on containers, two at a time (Debian's are built from its package mirror; the others are stand-ins)"
jobs=()
for name in $others; do jobs+=("default $name"); done
for scenario in $scenarios; do jobs+=("$scenario $platform"); done
printf '%s\n' "${jobs[@]}" | xargs -P 2 -I{} bash -c 'set -- {}; run "$1 $2" tools/molecule.sh "$1" "$2"' || failed=1

say "Capacity of containers, the demo, twice, the three ways in, and slow statements explained"
run capacity tests/integration/capacity.sh || failed=1
run demo tests/integration/demo.sh || failed=1
run "entry points" tests/integration/entry_points.sh || failed=1
run "explain slow" tests/integration/explain_slow.sh || failed=1

say "Results"
cat "$results"/*
count() { { grep -l " $1 " "$results"/* || true; } | wc -l; }
printf 'total time %ds\n%d passed, %d failed\n' "$((SECONDS - started))" "$(count passed)" "$(count FAILED)"
exit "$failed"
