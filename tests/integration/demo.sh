#!/usr/bin/env bash
# make demo as a user runs it: from nothing, then again, and what the browser's side of it gets. Ports of its own, so that a
# demo that somebody looks at goes on.
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
