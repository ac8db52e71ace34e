"""Each pool answers on its own socket, as its own user, and reaches nothing of its neighbour."""

import json
import os
import pathlib
import re

import pytest
import replay

SCENARIO = pathlib.Path(__file__).parent.parent
SCRATCH = os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]
SITES = ("shop", "blog")


@pytest.fixture(scope="module", autouse=True)
def files_of_the_sites(host):
    for site in SITES:
        host.check_output(f"install -d -o root -g {site} -m 0750 /srv/www/{site}")
        host.check_output(f"printf 'secret of {site}' | install -o root -g {site} -m 0640 /dev/stdin /srv/www/{site}/secret")


def run_php(host, site, code, name="t.php"):
    """Run PHP code in a site's pool and return its output."""
    path = f"/srv/www/{site}/{name}"
    host.check_output("printf '%%s' %s > %s && chown root:%s %s && chmod 0640 %s", f"<?php {code}", path, site, path, path)
    result = host.run(
        f"SCRIPT_FILENAME={path} SCRIPT_NAME=/{name} REQUEST_METHOD=GET cgi-fcgi -bind -connect /run/php-fpm/{site}.sock"
    )
    return result.stdout.replace("\r", "").partition("\n\n")[2]


def ini(host, site, key):
    return run_php(host, site, f"echo ini_get('{key}');")


@pytest.mark.parametrize("site", SITES)
def test_pool_answers_as_its_own_user(host, site):
    assert run_php(host, site, "echo posix_getpwuid(posix_geteuid())['name'];") == site


@pytest.mark.parametrize(("site", "other"), [("shop", "blog"), ("blog", "shop")])
def test_pool_cannot_read_its_neighbours_files_sessions_or_socket(host, site, other):
    assert "secret of" not in run_php(host, site, f"echo file_get_contents('/srv/www/{other}/secret');")
    assert run_php(host, site, f"echo file_get_contents('/srv/www/{site}/secret');") == f"secret of {site}"
    for path in (f"/srv/www/{other}/secret", f"/var/lib/php-fpm/{other}/session", f"/var/lib/php-fpm/{other}/tmp"):
        assert host.run(f"runuser -u {site} -- ls -l {path}").rc != 0
    assert host.run(f"runuser -u {site} -- cgi-fcgi -bind -connect /run/php-fpm/{other}.sock").rc != 0


def test_neighbours_cached_script_is_not_run(host):
    run_php(host, "blog", "echo 'code of blog';", "cached.php")
    run_php(host, "blog", "echo 'code of blog';", "cached.php")
    assert "code of blog" not in run_php(host, "shop", "include '/srv/www/blog/cached.php';")


def test_open_basedir_stops_reading_the_system(host):
    assert "root:" not in run_php(host, "shop", "echo file_get_contents('/etc/passwd');")


CLIENT = "$(command -v valkey-cli || command -v redis-cli)"
REDIS = f"{CLIENT} -s /run/lemp-test-redis/redis.sock --user root --pass any --no-auth-warning"
# A session whose name a test knows, as no visitor could have it.
SESSION = "ini_set('session.use_strict_mode', 0); session_id('{}'); session_start();"


def redis(host, *words):
    return host.check_output(f"{REDIS} " + " ".join(words))


@pytest.mark.parametrize("site", SITES)
def test_session_temporary_file_and_log_lie_in_the_pools_own_directories(host, row, site):
    run_php(host, site, "session_start(); $_SESSION['a'] = 1;")
    # Of shop they are in Redis.
    assert bool(host.check_output(f"ls /var/lib/php-fpm/{site}/session")) == (site == "blog")
    assert run_php(host, site, "echo tempnam(sys_get_temp_dir(), 'x');").startswith(f"/var/lib/php-fpm/{site}/tmp/")
    run_php(host, site, "error_log('written by the test');")
    assert "written by the test" in host.file(f"{row('php_fpm')['log_dir']}/{site}.error.log").content_string


def test_sessions_in_redis_survive_a_restart_and_expire(host, php):
    run_php(host, "shop", SESSION.format("known") + " $_SESSION['a'] = 'kept';")
    host.check_output(f"systemctl restart {php['service']}")
    assert run_php(host, "shop", SESSION.format("known") + " echo $_SESSION['a'];") == "kept"
    assert 7000 < int(redis(host, "ttl", "shop:session:known")) <= 7200


def test_a_session_in_redis_is_of_one_request_at_a_time(host):
    count = SESSION.format("counted") + " $n = $_SESSION['n'] ?? 0; usleep(300000); $_SESSION['n'] = $n + 1;"
    run_php(host, "shop", count, "count.php")
    request = "SCRIPT_FILENAME=/srv/www/shop/count.php SCRIPT_NAME=/count.php REQUEST_METHOD=GET"
    one = f"{request} cgi-fcgi -bind -connect /run/php-fpm/shop.sock >/dev/null &"
    host.check_output(f"sh -c '{one} {one} {one} wait'")
    assert run_php(host, "shop", SESSION.format("counted") + " echo $_SESSION['n'];") == "4"


def test_a_redis_that_is_away_loses_sessions_and_no_page(host):
    host.check_output("systemctl kill --signal STOP lemp-test-redis")
    try:
        assert run_php(host, "blog", "echo 'up';") == "up"
        assert run_php(host, "shop", "echo 'up';") == "up"
    finally:
        host.check_output("systemctl kill --signal CONT lemp-test-redis")


def test_variables_reach_the_requests_of_their_pool_alone(host):
    assert run_php(host, "shop", "echo getenv('DB_PASSWORD');") == 'it\'s a \\ "${HOME}"; # =secret'
    assert run_php(host, "blog", "echo json_encode(getenv('DB_PASSWORD'));") == "false"


def test_secrets_of_a_pool_are_for_root_alone(host, php):
    file = host.file(f"{php['pool_dir']}/lemp-shop.secrets.conf")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o640)
    for secret in ("shop-cache", "=secret"):
        found = host.run("grep -rlF -- %s /etc /srv /var/lib/php-fpm /var/log /tmp /var/tmp /usr/local", secret).stdout.split()
        assert [path for path in found if path != file.path] == []
        assert host.run("ps axeww | grep -v grep | grep -F -- %s", secret).rc != 0


def test_status_page_shows_the_planned_workers(host, php):
    request = "SCRIPT_FILENAME=/fpm_status SCRIPT_NAME=/fpm_status QUERY_STRING=json REQUEST_METHOD=GET"
    command = f"{request} cgi-fcgi -bind -connect /run/php-fpm/blog.sock"
    status = json.loads(host.check_output(command).replace("\r", "").partition("\n\n")[2])
    assert status["pool"] == "blog"
    pool = host.file(f"{php['pool_dir']}/lemp-blog.conf").content_string
    assert "pm.max_children = 2\n" in pool
    assert "pm = ondemand\n" in pool


def test_values_reach_php(host):
    assert ini(host, "shop", "date.timezone") == "Europe/Berlin"
    assert ini(host, "shop", "default_charset") == "ISO-8859-15"
    assert ini(host, "blog", "default_charset") == "UTF-8"
    assert ini(host, "shop", "expose_php") in ("", "0")
    assert ini(host, "shop", "display_errors") in ("", "0")
    assert ini(host, "shop", "post_max_size") == "64M"
    assert ini(host, "blog", "max_execution_time") == "10"
    assert run_php(host, "shop", "echo (int) opcache_get_status()['opcache_enabled'];") == "1"
    assert run_php(host, "shop", "echo (int) (extension_loaded('mysqli') && extension_loaded('mbstring'));") == "1"


def test_slow_request_leaves_a_stack_trace(host, row):
    run_php(host, "shop", "sleep(7); echo 'done';", "slow.php")
    assert "slow.php" in host.file(f"{row('php_fpm')['log_dir']}/shop.slow.log").content_string


def test_request_past_its_limit_is_ended(host):
    assert "never" not in run_php(host, "blog", "sleep(20); echo 'never';", "endless.php")


def test_logs_are_rotated(host):
    said = host.run("logrotate -d /etc/logrotate.conf")
    assert "shop.error.log" in said.stderr
    assert (said.rc, "duplicate" in said.stderr) == (0, False), said.stderr


def test_distributions_own_pool_is_gone_and_nothing_listens_on_the_network(host, php):
    assert not host.file(f"{php['pool_dir']}/www.conf").exists
    ports = {line.split()[3].rpartition(":")[2] for line in host.check_output("ss -Hltn").splitlines()}
    assert ports <= {"22"}


def test_pools_survive_a_restart_of_the_service(host, php):
    host.check_output(f"systemctl restart {php['service']}")
    assert run_php(host, "shop", "echo 'up';") == "up"
    assert host.service(php["service"]).is_enabled


def play(**extra_vars):
    """Run the converge play again; returns its exit status and what it printed, in one line."""
    status, output = replay.play(timeout=180, **extra_vars)
    return status, re.sub(r"\s+", " ", output)


def with_extra_pool(php, socket):
    """The role's inputs with one more pool, whose template has a mistake."""
    template = str(SCENARIO / "templates" / "lemp-extra.conf.j2")
    entry = {"src": template, "dest": f"{php['pool_dir']}/lemp-extra.conf", "vars": {"extra_socket": socket}}
    return {"__php_fpm_host_files": [entry]}


def files_and_process(host, php):
    files = host.check_output(f"find {php['pool_dir']} {php['ini_dir']} -type f -exec sha256sum {{}} + | sort | sha256sum")
    return files, host.check_output(f"systemctl show -P MainPID {php['service']}")


def test_a_pool_that_php_fpm_refuses_changes_nothing_and_is_led_back_to_its_template(host, php):
    before = files_and_process(host, php)
    status, said = play(**with_extra_pool(php, "/run/php-fpm/extra.sock"))
    assert status != 0
    assert "php_fpm: the new configuration was refused and nothing was changed" in said
    assert "unknown entry 'bogus_directive'" in said
    assert f"lemp-extra.conf.j2 (line 6 of {php['pool_dir']}/lemp-extra.conf: bogus_directive = 1)" in said
    assert files_and_process(host, php) == before
    test_pool_answers_as_its_own_user(host, "shop")
    status, said = play()
    assert status == 0, said
    assert "changed=0" in said


def test_a_pool_that_passes_the_check_but_does_not_start_is_put_back(host, php):
    before = files_and_process(host, php)
    host.check_output("systemd-run --quiet --unit=squatter python3 -m http.server --bind 127.0.0.1 3399 --directory /srv")
    host.check_output("timeout 10 sh -c 'until ss -Hltn sport = 3399 | grep -q LISTEN; do sleep 0.1; done'")
    try:
        status, said = play(**with_extra_pool(php, "127.0.0.1:3399"))
    finally:
        host.check_output("systemctl stop squatter")
    assert status != 0
    assert "php_fpm: the new configuration was put back" in said
    assert "unable to bind listening socket for address '127.0.0.1:3399'" in said
    assert "Everything runs with the old configuration again." in said
    assert files_and_process(host, php)[0] == before[0]
    for site in SITES:
        test_pool_answers_as_its_own_user(host, site)
