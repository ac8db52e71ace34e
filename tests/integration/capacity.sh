#!/usr/bin/env bash
# What module host_capacity measures in containers whose limits are known: three that boot as the test hosts do, one whose
# control groups are in a namespace of its own while the machine's are mounted, and one without a limit.
. "$(dirname "$0")/../../tools/common.sh"

name=lemp-capacity-test
work=$(mktemp -d)
trap 'docker rm -f "$name" >/dev/null 2>&1; rm -rf "$work"' EXIT
export ANSIBLE_COLLECTIONS_PATH=$root/collections ANSIBLE_LOAD_CALLBACK_PLUGINS=1 ANSIBLE_STDOUT_CALLBACK=ansible.posix.json
export ANSIBLE_PIPELINING=1

# The name of the container's control group ends with it, whatever makes the groups.
id_of() { docker inspect -f '{{.Id}}' "$name"; }

ask() { # module, arguments of ansible...
  local module=$1; shift
  ansible -i "$name," -c community.docker.docker -e ansible_python_interpreter=/usr/bin/python3 all -m "$module" "$@"
}

# The total, limit, planned and usable memory, effective CPUs, whether something changed, and the file that sets the limit.
measure() {
  ask lemp.stack.host_capacity -a remember=true >"$work/answer" || { cat "$work/answer"; fail "the module failed"; }
  python -c '
import json, sys
result = json.load(sys.stdin)["plays"][0]["tasks"][0]["hosts"][sys.argv[1]]
capacity = result["ansible_facts"]["lemp_capacity"]
memory, cpus = capacity["memory"], capacity["cpus"]
print(memory["total_bytes"], memory["limit_bytes"], memory["planned_bytes"], memory["bytes"], cpus["effective"], result["changed"], memory["limit_source"])
' "$name" <"$work/answer"
}

check() { # memory in MB, effective CPUs, text of the path of the file that sets the memory
  local bytes=$(($1 * 1048576)) found
  found=$(measure)
  [[ $found == *" $bytes $bytes $bytes $2 False "*"$3"* ]] ||
    fail "measured '$found' instead of '... $bytes $bytes $bytes $2 False ...$3...'"
  if docker exec "$name" test -e /var/lib/lemp/memory.json; then fail "a limit of a group was remembered"; fi
  say "$1 MB and $2 CPUs are what was measured, by ${found##* }"
}

# The limits above leave nothing to remember: only here does the module write.
check_remembered() {
  local total planned first second mode
  total=$(($(awk '/^MemTotal:/ { print $2 }' /proc/meminfo) * 1024))
  planned=$((total * 99 / 100 / 1048576 * 1048576))
  first=$(measure) second=$(measure)
  [[ $first == "$total None $planned $total "*" True None" ]] || fail "measured '$first' instead of '$total None $planned $total ... True None'"
  [[ $second == "$total None $planned $total "*" False None" ]] || fail "a second run says '$second' instead of the same and no change"
  mode=$(docker exec "$name" stat -c %a /var/lib/lemp /var/lib/lemp/memory.json | xargs)
  [ "$mode" = "700 600" ] || fail "the modes of /var/lib/lemp and memory.json are $mode instead of 700 600"
  say "Without a limit, $planned of $total bytes are planned for, and remembered"
}

# Measuring is what is left of a task's time when the connection's own, that of ping, is gone. As many tables as are counted
# at all are the most work there is. The fastest of three runs counts: the machine may be busy.
check_speed() {
  local module start took
  local -A least=()
  docker exec "$name" sh -c 'mkdir -p /var/lib/mysql/blog && cd /var/lib/mysql/blog && seq -f %g.ibd 19999 | xargs touch'
  for _ in 1 2 3; do
    for module in ansible.builtin.ping lemp.stack.host_capacity; do
      start=$(date +%s%N)
      ask "$module" >/dev/null
      took=$((($(date +%s%N) - start) / 1000000))
      [ "$took" -ge "${least[$module]:-999999}" ] || least[$module]=$took
    done
  done
  took=$((${least[lemp.stack.host_capacity]} - ${least[ansible.builtin.ping]}))
  [ "$took" -lt 1000 ] || fail "measuring takes $took ms, but must take less than a second"
  say "Measuring, with 19999 tables, takes $took ms more than a ping"
}

start_host "$name" debian13 512 --cpus 0.5
check 512 0.5 "$(id_of)"
check_speed

start_host "$name" debian13 1024 --cpuset-cpus 0
check 1024 1.0 "$(id_of)"

start_host "$name" debian13 700 --cpus 1.5
check 700 1.5 "$(id_of)"

# systemd would leave the container's groups here, and disturb the machine's: nothing boots, and the mount is read-only.
idle() { # further arguments of docker run...
  docker rm -f "$name" >/dev/null
  docker run -d --name "$name" "$@" --entrypoint sleep lemp-test/debian13 300 >/dev/null
}

if [ -e /proc/self/ns/cgroup ]; then
  idle --memory 300m --cpus 0.5 --cgroupns private -v /sys/fs/cgroup:/sys/fs/cgroup:ro
  check 300 0.5 "$(id_of)"
  idle --memory 300m --cpus 0.5 --cgroupns private
  check 300 0.5 /sys/fs/cgroup/
else
  say "This kernel has no namespaces of control groups: left out"
fi

idle
check_remembered
