#!/bin/sh
# Runs inside the host: makes it the named configuration and restarts its services. Usage: configure.sh plan|distribution|folklore
set -eu
saved=/var/lib/overload.tar
mariadb=/etc/mysql/mariadb.conf.d/60-lemp.cnf

# Always from what site.yml converged, so that the order of configurations does not matter.
# shellcheck disable=SC2046  # one word per file
[ -e "$saved" ] || tar -cf "$saved" -C / $(cd / && ls -d etc/mysql/mariadb.conf.d/60-lemp.cnf etc/php/*/fpm/pool.d/*.conf \
  etc/php/*/fpm/conf.d/90-lemp.ini etc/nginx/nginx.conf etc/systemd/system/*.service.d/lemp-*.conf)
tar -xf "$saved" -C /

as_shipped() {
  rm -f /etc/systemd/system/*.service.d/lemp-start.conf /etc/systemd/system/*.service.d/lemp-limits.conf
  # What stays is not sizing; whatever else the plan computes, now or later, goes.
  sed -i -E '/^(bind_address|port|skip_|local_infile|character_set|collation|innodb_lock_wait|slow_query|long_query|default_|\[|#|$)/!d' "$mariadb"
  sed -i -E '/^opcache\.(memory_consumption|interned_strings_buffer|max_accelerated_files|jit)/d' /etc/php/*/fpm/conf.d/90-lemp.ini
  sed -i -E '/^(pm|process\.max|listen\.backlog)\b/{/^pm\.status_path/!d}' /etc/php/*/fpm/pool.d/*.conf
  sed -i -E 's/^(worker_processes) .*/\1 auto;/; s/^( *worker_connections) .*/\1 768;/; /^worker_rlimit_nofile/d' /etc/nginx/nginx.conf
}

pools() { # lines...
  for pool in /etc/php/*/fpm/pool.d/*.conf; do
    # Not the file of the master's own settings.
    if grep -qE '^listen *=' "$pool"; then printf '%s\n' "$@" >>"$pool"; fi
  done
}

case $1 in
  plan) ;;
  distribution)
    as_shipped
    pools 'listen.backlog = 511' 'pm = dynamic' 'pm.max_children = 5' 'pm.start_servers = 2' 'pm.min_spare_servers = 1' 'pm.max_spare_servers = 3'
    ;;
  folklore)
    as_shipped
    pools 'listen.backlog = 511' 'pm = static' 'pm.max_children = 50'
    sed -i 's/^\[mariadbd\]$/&\ninnodb_buffer_pool_size = 256M/' "$mariadb"
    ;;
esac
systemctl daemon-reload
# shellcheck disable=SC2046  # one word per unit
systemctl restart mariadb $(basename -s .service /lib/systemd/system/php*-fpm.service) nginx
