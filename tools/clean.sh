#!/usr/bin/env bash
# Remove what was made here; images stay in the engine unless IMAGES=1, because they take longest to make.
. "$(dirname "$0")/common.sh"

if docker info >/dev/null 2>&1; then
  docker ps -aq --filter name='^lemp-' | xargs -r docker rm -f >/dev/null
  [ -z "${IMAGES:-}" ] || docker images -q 'lemp-test/*' | sort -u | xargs -r docker rmi -f >/dev/null
fi
molecule/images/raspios/emulation.sh undo
rm -rf .ansible .cache .demo .hypothesis .mypy_cache .pytest_cache .ruff_cache .venv lemp-stack-*.tar.gz
find collections/ansible_collections -mindepth 1 -maxdepth 1 ! -name lemp -exec rm -rf {} +
