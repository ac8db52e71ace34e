#!/usr/bin/env bash
# The demo: one container with systemd, set up by site.yml as any host would be. Usage: demo.sh up|down
. "$(dirname "$0")/common.sh"

name=${LEMP_DEMO_NAME:-lemp-demo}
platform=debian13
export LEMP_DEMO_HTTP_PORT=${LEMP_DEMO_HTTP_PORT:-8080} LEMP_DEMO_HTTPS_PORT=${LEMP_DEMO_HTTPS_PORT:-8443}
export LEMP_DEMO_MEMORY_MB=${LEMP_DEMO_MEMORY_MB:-2048}
export LEMP_DEMO_STATE=${LEMP_DEMO_STATE:-$root/.demo}
url=https://demo.lemp.test:$LEMP_DEMO_HTTPS_PORT/

down() {
  docker rm -f "$name" >/dev/null 2>&1 || true
  rm -rf "$LEMP_DEMO_STATE"
}

make_secret() { # name
  [ -s "$LEMP_DEMO_STATE/$1" ] ||
    (umask 077; mkdir -p "$LEMP_DEMO_STATE"; python -c 'import secrets; print(secrets.token_urlsafe(18))' >"$LEMP_DEMO_STATE/$1")
}

up() {
  local started=$SECONDS
  need curl curl
  if docker inspect "$name" >/dev/null 2>&1; then
    docker start "$name" >/dev/null || fail "container $name does not start; free its ports, or begin anew with make demo-down"
    wait_for_boot "$name"
  else
    molecule/images/build.sh "$platform"
    down
    say "Starting container $name ($platform, $LEMP_DEMO_MEMORY_MB MB of memory)"
    start_host "$name" "$platform" "$LEMP_DEMO_MEMORY_MB" \
      -p "127.0.0.1:$LEMP_DEMO_HTTP_PORT:80" -p "127.0.0.1:$LEMP_DEMO_HTTPS_PORT:443" ||
      fail "the container did not start; if a port is taken, set LEMP_DEMO_HTTP_PORT and LEMP_DEMO_HTTPS_PORT"
  fi
  make_secret admin_password
  make_secret database_password

  say "Running site.yml against it"
  mkdir -p .cache/log
  ANSIBLE_PIPELINING=1 ANSIBLE_INJECT_FACT_VARS=0 ANSIBLE_DISPLAY_SKIPPED_HOSTS=0 ANSIBLE_NOCOWS=1 PYTHONUNBUFFERED=1 \
    ansible-playbook -i inventories/demo -e "ansible_host=$name" site.yml 2>&1 | tee .cache/log/demo.log | python tools/progress.py ||
    fail "site.yml failed; the whole output is in .cache/log/demo.log"

  say "What a visitor gets"
  curl -sS -o /dev/null -w "  %{url} answers %{http_code} in %{time_total} s\n" --cacert <(docker exec "$name" cat /etc/ssl/lemp/ca/ca.pem) \
    --resolve "demo.lemp.test:$LEMP_DEMO_HTTPS_PORT:127.0.0.1" "$url"
  say "What was installed"
  docker exec "$name" dpkg-query -W -f '  ${Package} ${Version}\n' nginx 'php[0-9]*-fpm' mariadb-server wordpress | sort
  say "Tuned for the container's $LEMP_DEMO_MEMORY_MB MB of memory"
  docker exec "$name" sh -c '
    grep -hE "^(worker_processes|    worker_connections)" /etc/nginx/nginx.conf | sed -E "s/^ */  nginx: /"
    sed -nE "s/^pm.max_children/  php-fpm: pm.max_children/p" /etc/php/*/fpm/pool.d/lemp-demo.conf
    sed -nE "s/^opcache.memory_consumption/  php-fpm: opcache.memory_consumption/p" /etc/php/*/fpm/conf.d/90-lemp.ini
    sed -nE "s/^innodb_buffer_pool_size/  mariadb: innodb_buffer_pool_size/p" /etc/mysql/mariadb.conf.d/60-lemp.cnf' | sed 's/;$//'
  say "Address: $url"
  cat <<EOF
  Your browser needs to know the name:  echo "127.0.0.1 demo.lemp.test" >>/etc/hosts
  and the demo's own CA, if it is to trust the certificate:  docker exec $name cat /etc/ssl/lemp/ca/ca.pem
  Without either:  curl -k --resolve demo.lemp.test:$LEMP_DEMO_HTTPS_PORT:127.0.0.1 $url
EOF
  if [ ! -e "$LEMP_DEMO_STATE/shown" ]; then
    say "Administrator (shown once): admin, password $(cat "$LEMP_DEMO_STATE/admin_password"), at ${url}wp-admin/"
    touch "$LEMP_DEMO_STATE/shown"
  fi
  say "Done in $((SECONDS - started)) s; make demo-down removes it"
}

case ${1:-} in
  up) up ;;
  down) down; say "The demo is gone" ;;
  *) fail "usage: demo.sh up|down" ;;
esac
