#!/usr/bin/env bash
# Every scenario on every platform, one platform after the other. A failure does not end it; the results of all runs, older ones
# with their dates, are in docs/matrix.md at the end. SCENARIOS and PLATFORMS narrow it: SCENARIOS="nginx default" PLATFORMS=rocky9
. "$(dirname "$0")/common.sh"

platforms=${PLATFORMS:-debian12 debian13 ubuntu2204 ubuntu2404 rocky9 rocky10 raspios12 raspios13}
scenarios=${SCENARIOS:-$(cd molecule && ls -d */molecule.yml | cut -d/ -f1 | xargs)}
for scenario in $scenarios; do [ -f "molecule/$scenario/molecule.yml" ] || fail "no scenario $scenario"; done
mkdir -p .cache/log .cache/matrix

run() { # scenario, platform
  local log=.cache/log/matrix-$1-$2.log
  tools/molecule.sh "$1" "$2" >"$log" 2>&1 </dev/null && tail -n 1 "$log" && return
  tail -n 60 "$log" | sed 's/^/    /'
  return 1
}
export -f run

failed=0
for platform in $platforms; do
  say "$platform"
  molecule/images/build.sh "$platform" || { failed=1; continue; }
  # Emulated programs keep a core busy each.
  case $platform-$(uname -m) in raspios*-aarch64) jobs=2 ;; raspios*) jobs=1 ;; *) jobs=2 ;; esac
  # shellcheck disable=SC2086  # one name a line
  printf '%s\n' $scenarios | xargs -P "$jobs" -I{} bash -c 'run "$1" "$2"' run {} "$platform" || failed=1
done

say "Results (docs/matrix.md)"
python tools/matrix_table.py table .cache/matrix docs/matrix.md
exit "$failed"
