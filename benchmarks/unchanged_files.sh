#!/usr/bin/env bash
# Two hundred files that are as they should be: one config_tree task against a loop of ansible.builtin.template over the same set.
. "$(dirname "$0")/common.sh"

host=lemp-benchmark-files
trap 'docker rm -f "$host" >/dev/null 2>&1' EXIT
molecule/images/build.sh debian13 >/dev/null
start_host "$host" debian13 2048

inventory=(-i "$host," -e ansible_connection=community.docker.docker -e ansible_python_interpreter=/usr/bin/python3)
play files-first.log "${inventory[@]}" benchmarks/unchanged_files.yml
for run in $(seq "$runs"); do
  play "files-$run.log" "${inventory[@]}" benchmarks/unchanged_files.yml
  changed_nothing "files-$run.log"
done
for task in 'One task' 'A loop'; do
  for run in $(seq "$runs"); do seconds_of_tasks "files-$run.log" | sed -n "s/^$task\t//p"; done | median >"$work/${task##* }.seconds"
done
say "200 unchanged files (median of $runs)"
awk 'NR == FNR { one = $1; next }
  { printf "  config_tree %.2f s, a loop of ansible.builtin.template %.2f s: %.0f times as long\n", one, $1, $1 / one }' \
  "$work/task.seconds" "$work/loop.seconds"
