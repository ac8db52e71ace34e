#!/usr/bin/env bash
# Every linter, one line each; a failing one shows what it said. All run, so that one round shows everything.
# Usage: lint.sh [TOOL...]
. "$(dirname "$0")/common.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ANSIBLE_COLLECTIONS_PATH=$root/collections ANSIBLE_NOCOLOR=1 NO_COLOR=1 ANSIBLE_LINT_SKIP_SCHEMA_UPDATE=1
export PYTHONDONTWRITEBYTECODE=1 COLUMNS=200

# The oldest Python that may run module_utils on a host: version 3.9 where this machine has it.
oldest_python() {
  local candidate
  for candidate in "${LEMP_OLDEST_PYTHON:-}" python3.9 "$HOME"/.pyenv/versions/3.9.*/bin/python; do
    if [ -n "$candidate" ] && "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 9))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
}

shell_scripts() { find tools .ci molecule benchmarks tests -name '*.sh' -o -path .ci/run; }

lint_ansible-lint() { ansible-lint --config-file .config/ansible-lint.yml --offline --nocolor --format=pep8 -q; }
lint_yamllint() { yamllint --strict .; }
lint_ruff() { ruff check --quiet --output-format=concise . && ruff format --check --quiet --output-format=concise .; }
lint_mypy() { mypy -p ansible_collections.lemp.stack.plugins; }
lint_shell() {
  local script
  for script in $(shell_scripts); do bash -n "$script" || return 1; done
  # shellcheck disable=SC2046  # names without blanks
  shellcheck --shell=bash --external-sources --source-path=SCRIPTDIR --severity=warning $(shell_scripts)
}
lint_readme() { python tools/readme.py --check; }
lint_changelog() { antsibull-changelog lint && antsibull-changelog lint-changelog-yaml --strict changelogs/changelog.yaml; }
lint_docs() { antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck --disallow-unknown-collection-refs "$work/built"; }
lint_python39() {
  local python; python=$(oldest_python)
  [ -n "$python" ] || { echo "skipped: no Python 3.9 here (LEMP_OLDEST_PYTHON)" >"$work/python39.note"; return 0; }
  # Namespace packages are found through the path; nothing of Ansible is needed, which is the point.
  PYTHONPATH=$root/collections "$python" - <<'PYTHON'
import importlib, os, pathlib
package = "ansible_collections.lemp.stack.plugins.module_utils"
folder = pathlib.Path("plugins/module_utils")
for path in sorted(folder.rglob("*.py")):
    name = ".".join(path.relative_to(folder).with_suffix("").parts).replace(".__init__", "")
    importlib.import_module(f"{package}.{name}")
site = importlib.import_module(f"{package}._site")
budget = importlib.import_module(f"{package}._plan.budget")
projection = importlib.import_module(f"{package}._projection")
sites = site.complete([{"name": "shop", "domains": ["shop.example.org"], "database": {"password": "x"}}])
services = projection.host_services(sites, ["web", "database"], {"memory_mb": 2048, "cpus": 2}, {})
assert budget.make_plan({}, services)["feasible"]
import tempfile
wanted = importlib.import_module(f"{package}._config.wanted")
store = importlib.import_module(f"{package}._config.store")
transaction = importlib.import_module(f"{package}._config.transaction")
with tempfile.TemporaryDirectory() as folder:
    live = pathlib.Path(folder, "live")
    live.mkdir()
    entry = wanted.Entry(str(live / "a.conf"), "file", content="a", owner=str(os.getuid()), group=str(os.getgid()))
    request = wanted.Request(name="lint", entries=(entry,), trees=(str(live),))
    for expected in ([entry.path], []):
        kept = store.Store("lint", str(pathlib.Path(folder, "store")))
        outcome = transaction.Transaction(request, kept, lambda path, mode: None, False).run()
        assert outcome.changed == expected, outcome.changed
    assert (live / "a.conf").read_text() == "a"
PYTHON
}
# What `ansible-test sanity` can do without downloading an environment of its own; its other tests are done by the tools above.
sanity_tests=(action-plugin-docs compile empty-init line-endings no-assert no-get-exception no-illegal-filenames no-smart-quotes
  replace-urlopen use-argspec-type-path use-compat-six)
lint_sanity() {
  local test arguments=(--python "$(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')")
  for test in "${sanity_tests[@]}"; do arguments+=(--test "$test"); done
  (cd "$work/built" && ansible-test sanity --color no "${arguments[@]}")
}

# Two tools look at the collection as it is shipped.
build() {
  ansible-galaxy collection build "$root" --output-path "$work" >"$work/build.log" 2>&1 ||
    { cat "$work/build.log" >&2; fail "the collection cannot be built"; }
  mkdir -p "$work/ansible_collections/lemp/stack"
  tar -xzf "$work"/lemp-stack-*.tar.gz -C "$work/ansible_collections/lemp/stack"
  ln -s "$work/ansible_collections/lemp/stack" "$work/built"
}

run() { # tool
  local started=${EPOCHREALTIME/./} status=0
  "lint_$1" >"$work/$1.log" 2>&1 </dev/null || status=$?
  echo "$status $(((${EPOCHREALTIME/./} - started) / 100000))" >"$work/$1.status"
}

report() { # tool
  local status tenths note=
  read -r status tenths <"$work/$1.status"
  [ ! -f "$work/$1.note" ] || note=" ($(cat "$work/$1.note"))"
  if [ "$status" = 0 ]; then
    printf '%-14s ok      %4d.%d s%s\n' "$1" $((tenths / 10)) $((tenths % 10)) "$note"
  else
    printf '%-14s failed  %4d.%d s\n' "$1" $((tenths / 10)) $((tenths % 10))
    sed 's/^/    /' "$work/$1.log"
    failed+=("$1")
  fi
}

tools=("$@")
[ $# -gt 0 ] || tools=(yamllint ruff mypy shell readme changelog docs python39 sanity ansible-lint)
failed=()
build
slow=
if [[ " ${tools[*]} " == *" ansible-lint "* ]]; then run ansible-lint & slow=$!; fi
for tool in "${tools[@]}"; do
  [ "$tool" = ansible-lint ] || { run "$tool"; report "$tool"; }
done
if [ -n "$slow" ]; then wait "$slow"; report ansible-lint; fi
[ "${#failed[@]}" -eq 0 ] || fail "not clean: ${failed[*]}"
