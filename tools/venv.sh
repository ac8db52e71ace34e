#!/usr/bin/env bash
# The virtual environment with pinned tools, in .venv.
. "$(dirname "$0")/common.sh"

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "$python is too old; set PYTHON to Python 3.11 or newer"
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "install the venv module of $python (Debian: python3-venv)"
  say "Installing python3-venv"
  quietly .cache/log/venv-apt.log sh -c 'apt-get update && apt-get install -y --no-install-recommends python3-venv'
fi
say "Installing pinned tools into .venv"
quietly .cache/log/venv.log sh -c "
  '$python' -m venv --clear .venv &&
  .venv/bin/pip install -r .config/requirements-dev.txt"
touch .venv/ready
