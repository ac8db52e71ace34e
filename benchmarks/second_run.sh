#!/usr/bin/env bash
# The second run of site.yml on the demo host: how long it takes from the first task to the recap, and where the time goes.
. "$(dirname "$0")/common.sh"

export LEMP_DEMO_STATE=${LEMP_DEMO_STATE:-$root/.demo}
tools/demo.sh up >"$work/demo.log" || { tail -n 20 "$work/demo.log" >&2; fail "the demo does not come up"; }
for number in $(seq "$runs"); do
  play "second-$number.log" -i inventories/demo -e "ansible_host=${LEMP_DEMO_NAME:-lemp-demo}" site.yml
  changed_nothing "second-$number.log"
done

say "Tasks of the last run, the longest first"
sed -n '/^TASKS RECAP/,$p' "$work/second-$runs.log" | tail -n +4 | sed -E 's/^(.*[^-]) -+ ([0-9.]+s)$/\2  \1/' |
  awk '{ sub("s", "", $1); if ($1 >= 0.1) print "  " $0; else { rest += $1; count++ } }
    END { printf "  %.2f further %d tasks of less than 0.1 s each\n", rest, count }'
say "Second run of site.yml on the demo host (median of $runs)"
for number in $(seq "$runs"); do seconds_of_run "second-$number.log"; done | median | sed 's/$/ s/'
