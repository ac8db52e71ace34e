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
seconds_of_tasks "second-$runs.log" |
  awk -F '\t' '{ if ($2 >= 0.1) print "  " $2 " " $1; else { rest += $2; count++ } }
    END { printf "  %.2f further %d tasks of less than 0.1 s each\n", rest, count }'
say "Second run of site.yml on the demo host (median of $runs)"
for number in $(seq "$runs"); do seconds_of_run "second-$number.log"; done | median | sed 's/$/ s/'
