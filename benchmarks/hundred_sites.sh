#!/usr/bin/env bash
# The second run of site.yml with one site and with one hundred on the same host: nginx, PHP-FPM, certificates, databases.
# APP=wordpress makes each of them a WordPress site.
. "$(dirname "$0")/common.sh"

app=${APP:-php}
count=${SITES:-100}
host=lemp-benchmark
trap 'docker rm -f "$host" >/dev/null 2>&1' EXIT
molecule/images/build.sh debian13 >/dev/null
start_host "$host" debian13 16384

cat >"$work/hosts.yml" <<YAML
all:
  hosts:
    $host:
      ansible_connection: community.docker.docker
      ansible_become: false
      ansible_python_interpreter: /usr/bin/python3
      baseline_container: true
  children: {web: {hosts: {$host: }}, database: {hosts: {$host: }}}
YAML

sites() { # count
  python - "$app" "$1" <<'PYTHON'
import json
import sys

app, count = sys.argv[1], int(sys.argv[2])
sites = []
for number in range(count):
    name = f"site{number}"
    site = {"name": name, "app": app, "domains": [f"{name}.lemp.test", f"www.{name}.lemp.test"], "database": {"password": f"of-{name}"}}
    if app == "php":
        site["root"] = "/srv/shared"
    else:
        login = {"admin_user": "anna", "admin_email": "anna@lemp.test", "admin_password": "benchmark-1"}
        site["wordpress"] = {"title": name, **login}
    sites.append(site)
print(json.dumps({"lemp_sites": sites}))
PYTHON
}

docker exec "$host" sh -c 'mkdir -p /srv/shared && echo "<?php echo 1;" >/srv/shared/index.php'
for number in 1 "$count"; do
  sites "$number" >"$work/sites-$number.json"
  say "First run with $number of $count sites"
  play "first-$number.log" -i "$work/hosts.yml" -e "@$work/sites-$number.json" site.yml
  seconds_of_run "first-$number.log" | sed 's/$/ s/'
  for run in $(seq "$runs"); do
    play "sites-$number-$run.log" -i "$work/hosts.yml" -e "@$work/sites-$number.json" site.yml
    changed_nothing "sites-$number-$run.log"
    seconds_of_run "sites-$number-$run.log"
  done | median >"$work/sites-$number.seconds"
done
say "Second run of site.yml, sites of kind $app (median of $runs)"
awk -v count="$count" 'NR == FNR { one = $1; next }
  { printf "  1 site %.2f s, %d sites %.2f s: %.2f times as long\n", one, count, $1, $1 / one }' \
  "$work/sites-1.seconds" "$work/sites-$count.seconds"
say "Where the difference lies"
for number in 1 "$count"; do
  seconds_of_tasks "sites-$number-$runs.log" >"$work/tasks-$number"
done
awk -F '\t' 'NR == FNR { one[$1] = $2; next } $2 - one[$1] > 0.1 { printf "  %5.2f s more: %s\n", $2 - one[$1], $1 }' \
  "$work/tasks-1" "$work/tasks-$count"
