# Sourced by the benchmarks: a host, runs with their times, medians.
. "$(dirname "${BASH_SOURCE[0]}")/../tools/common.sh"

export runs=${RUNS:-3}
work=$root/.cache/benchmarks
mkdir -p "$work"
export ANSIBLE_CALLBACKS_ENABLED=ansible.posix.profile_tasks PROFILE_TASKS_TASK_OUTPUT_LIMIT=all ANSIBLE_NOCOLOR=1
export ANSIBLE_COLLECTIONS_PATH=$root/collections ANSIBLE_PIPELINING=1 ANSIBLE_INJECT_FACT_VARS=0 ANSIBLE_DISPLAY_SKIPPED_HOSTS=0 ANSIBLE_NOCOWS=1

# What a benchmark started; KEEP=1 leaves it.
hosts=()
remove_hosts() { [ -n "${KEEP:-}" ] || [ "${#hosts[@]}" = 0 ] || docker rm -f "${hosts[@]}" >/dev/null 2>&1 || true; }

play() { # log, arguments of ansible-playbook...
  local log=$work/$1; shift
  ansible-playbook "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; fail "that run failed (log: $log)"; }
}

# From the first task to the recap, as profile_tasks says.
seconds_of_run() { # log
  sed -n '/^TASKS RECAP/,$p' "$work/$1" | sed -nE 's/.* ([0-9]+):([0-9]+):([0-9.]+) \**\s*$/\1 \2 \3/p' |
    awk 'NR == 1 { printf "%.2f\n", $1 * 3600 + $2 * 60 + $3 }'
}

# One line per task, the longest first: its name, a tab, its seconds.
seconds_of_tasks() { # log
  sed -n '/^TASKS RECAP/,$p' "$work/$1" | sed -nE 's/^(.*[^-]) -+ ([0-9.]+)s$/\1\t\2/p'
}

changed_nothing() { # log
  grep -qE 'changed=0 .*failed=0' "$work/$1" || { grep -E '^changed|changed=' "$work/$1" >&2; fail "this run was to change nothing"; }
}

median() { sort -n | awk '{ value[NR] = $1 } END { print (NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2) }'; }
