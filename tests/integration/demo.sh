#!/usr/bin/env bash
# make demo as a user runs it: from nothing, then again, then plan and calibration, and what the browser's side of it gets. Ports
# of its own, so that a demo that somebody looks at goes on.
. "$(dirname "$0")/../../tools/common.sh"

export LEMP_DEMO_NAME=lemp-demo-test LEMP_DEMO_HTTP_PORT=18080 LEMP_DEMO_HTTPS_PORT=18443 LEMP_DEMO_STATE=$root/.cache/demo
trap 'tools/demo.sh down' EXIT
site=https://demo.lemp.test:18443
fetch() { curl -sk --max-time 20 --resolve demo.lemp.test:18443:127.0.0.1 --resolve demo.lemp.test:18080:127.0.0.1 "$@"; }

need curl curl
tools/demo.sh down
first=$(tools/demo.sh up)
password=$(cat "$LEMP_DEMO_STATE/admin_password")
[ "$(grep -cF "$password" <<<"$first")" = 1 ] || fail "the first run must show the administrator's password exactly once"
shows '<title>The lemp.stack demo</title>' fetch "$site/" || fail "the front page does not show the blog's title"
[ "$(fetch -o /dev/null -w '%{http_code} %{redirect_url}' http://demo.lemp.test:18080/)" = "301 $site/" ] || fail "plain HTTP does not redirect"
if curl -sk --max-time 20 --resolve unknown.lemp.test:18443:127.0.0.1 https://unknown.lemp.test:18443/; then fail "an unknown name gets a page"; fi

second=$(tools/demo.sh up)
grep -qE "lemp-demo .*changed=0 .*failed=0" <<<"$second" || { echo "$second"; fail "the second run changes something"; }
if grep -qF "$password" <<<"$second"; then fail "the second run shows the password again"; fi
say "First run: $(grep -o 'Done in [0-9]* s' <<<"$first"); second run: $(grep -o 'Done in [0-9]* s' <<<"$second")"

plans=$root/.cache/demo-plans
rm -rf "$plans"
playbook() { # arguments of ansible-playbook...
  ANSIBLE_COLLECTIONS_PATH=$root/collections ANSIBLE_PIPELINING=1 ANSIBLE_NOCOWS=1 ansible-playbook -i inventories/demo \
    -e "ansible_host=$LEMP_DEMO_NAME" "$@" 2>&1 || fail "$* failed"
}
plan=$(playbook -e "lemp_plan_directory=$plans" playbooks/plan.yml)
grep -qE 'changed=0 .*failed=0' <<<"$plan" || { echo "$plan"; fail "the plan changes the host"; }
grep -q 'mariadb.innodb_buffer_pool_size' <<<"$plan" || { echo "$plan"; fail "the plan does not show the buffer pool"; }
pool=$(docker exec "$LEMP_DEMO_NAME" mariadb -N -e 'select @@innodb_buffer_pool_size')
[ "$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["mariadb"]["innodb_buffer_pool_size"])' "$plans"/*.json)" = "$pool" ] ||
  fail "the written plan has another buffer pool than the server ($pool)"
if grep -rqF -e "$password" -e "$(cat "$LEMP_DEMO_STATE/database_password")" "$plans"; then fail "the written plan holds a password"; fi

for _ in $(seq 40); do fetch -o /dev/null "$site/?s=lemp" || fail "the site does not answer"; done &
traffic=$!
found=$(playbook -e calibrate_samples=5 -e calibrate_interval_seconds=1 -e calibrate_apply=true playbooks/calibrate.yml)
wait "$traffic"
grep -q 'OPcache holds' <<<"$found" || { echo "$found"; fail "calibration did not ask OPcache"; }
again=$(playbook -e calibrate_samples=2 -e calibrate_interval_seconds=1 -e calibrate_apply=true playbooks/calibrate.yml)
grep -qE 'changed=0 .*failed=0' <<<"$again" || { echo "$again"; fail "a second calibration changes something"; }
calibrated=$(tools/demo.sh up)
grep -qE "lemp-demo .*failed=0" <<<"$calibrated" || { echo "$calibrated"; fail "site.yml fails with the calibration"; }
shows '<title>The lemp.stack demo</title>' fetch "$site/" || fail "the front page is gone after the calibration"
