#!/usr/bin/env bash
# Unit tests, and the whole stack on a container twice, with every supported ansible-core whose Python is on this machine.
# Usage: core.sh [VERSION...]
. "$(dirname "$0")/common.sh"

declare -A oldest=([2.19]=11 [2.20]=12 [2.21]=12) # minor versions of Python 3
versions=("$@")
[ $# -gt 0 ] || versions=(2.19 2.20 2.21)

python_from() { # the oldest minor version that will do
  local minor candidate
  for minor in $(seq "$1" 14); do
    for candidate in "python3.$minor" "$HOME"/.pyenv/versions/3."$minor".*/bin/python; do
      if "$candidate" -c "import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, $minor))" 2>/dev/null; then
        echo "$candidate"
        return
      fi
    done
  done
}

with_core() { # version, python
  local environment=$root/.cache/core-$1 name=lemp-core log
  log=.cache/log/core-$1
  [ -x "$environment/bin/ansible-playbook" ] || quietly "$log-venv.log" sh -c "
    '$2' -m venv --clear '$environment' && '$environment/bin/pip' install 'ansible-core==$1.*' \
      \$(grep -E '^(hypothesis|jinja2|netaddr|pytest)==' .config/requirements-dev.txt) requests docker antsibull-changelog packaging"
  PATH=$environment/bin:$PATH quietly "$log-unit.log" "$environment/bin/python" -m pytest -q -p no:cacheprovider tests/unit
  tail -n 1 "$log-unit.log"
  start_host "$name" debian13 2048
  for run in first second; do
    PATH=$environment/bin:$PATH ANSIBLE_COLLECTIONS_PATH=$root/collections ANSIBLE_PIPELINING=1 ANSIBLE_INJECT_FACT_VARS=0 ANSIBLE_NOCOLOR=1 \
      LEMP_DEMO_STATE=$root/.cache/core-demo quietly "$log-$run.log" ansible-playbook -i inventories/demo -e "ansible_host=$name" site.yml
    ! grep -A2 'DEPRECATION WARNING' "$log-$run.log" >&2 || fail "ansible-core $1: a deprecation warning ($log-$run.log)"
  done
  grep -qE 'changed=0 .*failed=0' "$log-second.log" || fail "ansible-core $1: the second run changes something ($log-second.log)"
  docker rm -f "$name" >/dev/null
}

molecule/images/build.sh debian13
mkdir -p .cache/core-demo
for secret in admin_password database_password; do (umask 077; echo of-core-test >".cache/core-demo/$secret"); done
for version in "${versions[@]}"; do
  python=$(python_from "${oldest[$version]}")
  if [ -z "$python" ]; then
    say "ansible-core $version: skipped, no Python 3.${oldest[$version]} or newer here"
  else
    say "ansible-core $version on $("$python" --version)"
    with_core "$version" "$python"
  fi
done
