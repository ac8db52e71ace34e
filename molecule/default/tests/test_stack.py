"""The whole stack: WordPress over HTTPS from its own pool and database, and neighbours that cannot reach each other."""

import json

import pytest

CURL = "curl -sS --max-time 20 --resolve '*:443:127.0.0.1' --resolve '*:80:127.0.0.1'"


def get(host, url, options=""):
    """Return status and body; the certificate must be valid for the host's own trust store."""
    output = host.check_output(f"{CURL} {options} -w '\\n%{{http_code}}' '{url}'")
    body, _, status = output.rpartition("\n")
    return int(status), body


def run_in_pool(host, site, code):
    """Run PHP code through nginx in a site's pool, from a file that only lives for this call."""
    path = f"/srv/www/{site}/public/probe.php"
    url = f"https://{site}.lemp.test/probe.php"
    host.check_output("printf '%%s' %s > %s && chown root:%s %s && chmod 0640 %s", f"<?php {code}", path, site, path, path)
    try:
        return get(host, url)[1]
    finally:
        host.check_output(f"rm {path}")


def wordpress(host, code):
    request = "$_SERVER['HTTP_HOST']='demo.lemp.test'; $_SERVER['HTTPS']='on';"
    program = f"{request} require '/srv/www/demo/public/wp-load.php'; {code}"
    return host.check_output("runuser -u demo -- php -r %s", program)


def test_front_page_shows_the_title_out_of_the_database(host):
    status, body = get(host, "https://demo.lemp.test/")
    assert status == 200
    assert "<title>Title out of the database</title>" in body
    host.check_output("mariadb -e \"update demo.wp_options set option_value='Another title' where option_name='blogname'\"")
    wordpress(host, "wp_cache_flush();")
    try:
        assert "<title>Another title</title>" in get(host, "https://demo.lemp.test/")[1]
    finally:
        host.check_output(
            "mariadb -e \"update demo.wp_options set option_value='Title out of the database' where option_name='blogname'\""
        )
        wordpress(host, "wp_cache_flush();")


def test_pages_fill_the_cache_are_made_from_it_and_do_without_it(host, row):
    def keys():
        return {key for key in host.check_output("lemp-redis cache --scan").splitlines() if key.startswith("demo:wp:")}

    def log():
        return host.file(f"{row('php_fpm')['log_dir']}/demo.error.log").content_string

    def hits():
        return int(host.check_output("lemp-redis cache info stats | tr -d '\\r' | sed -n 's/^keyspace_hits://p'"))

    wordpress(host, "wp_cache_flush();")
    empty = keys()
    get(host, "https://demo.lemp.test/")
    assert len(keys() - empty) > 10
    before = hits()
    get(host, "https://demo.lemp.test/")
    assert hits() > before + 5
    said = log().count("WordPress runs without its object cache")
    host.check_output("systemctl stop lemp-redis@cache")
    try:
        status, body = get(host, "https://demo.lemp.test/")
    finally:
        host.check_output("systemctl start lemp-redis@cache")
    assert (status, "<title>Title out of the database</title>" in body) == (200, True)
    assert log().count("WordPress runs without its object cache") == said + 1


def test_login_and_dashboard_work(host):
    jar = "-c /tmp/jar -b /tmp/jar -b wordpress_test_cookie=1"
    get(host, "https://demo.lemp.test/wp-login.php", jar)
    form = '--data-urlencode log=anna --data-urlencode "pwd=admin\'s password"'
    status, _ = get(host, "https://demo.lemp.test/wp-login.php", f"{jar} {form}")
    assert status == 302
    status, body = get(host, "https://demo.lemp.test/wp-admin/", jar)
    assert status == 200
    assert "Dashboard" in body


def test_style_sheets_and_scripts_of_the_package_and_the_theme_are_served(host):
    assert get(host, "https://demo.lemp.test/wp-includes/css/buttons.min.css")[0] == 200
    theme = wordpress(host, "echo get_stylesheet_uri();")
    assert get(host, theme)[0] == 200


def test_post_survives_a_restart_of_all_services(host):
    title = "Written before the restart 😀"
    post = wordpress(
        host, f"echo wp_insert_post(['post_title' => '{title}', 'post_status' => 'publish', 'post_content' => 'x']);"
    )
    link = wordpress(host, f"echo get_permalink({post});")
    host.check_output("systemctl restart nginx mariadb 'php*-fpm'")
    status, body = get(host, link)
    assert status == 200
    assert title in body


@pytest.mark.parametrize("name", ["demo.lemp.test", "www.demo.lemp.test"])
def test_plain_http_and_other_domains_redirect(host, name):
    answer = host.check_output(f"{CURL} -o /dev/null -w '%{{http_code}} %{{redirect_url}}' http://{name}/a?b=c")
    assert answer == "301 https://demo.lemp.test/a?b=c"


@pytest.mark.parametrize("url", ["http://unknown.lemp.test/", "https://unknown.lemp.test/"])
def test_unknown_name_gets_no_page(host, url):
    assert host.run(f"{CURL} -k {url}").rc != 0


@pytest.mark.parametrize(
    "path", ["/wp-content/uploads/x.php", "/wp-content/uploads/2026/x.phtml", "/.git/config", "/.env", "/wp-content/.htaccess"]
)
def test_code_in_uploads_and_hidden_files_are_refused(host, path):
    root = "/srv/www/demo/public"
    host.check_output(
        f"mkdir -p $(dirname {root}{path}) && echo '<?php echo \"leaked\";' > {root}{path} && chmod 0644 {root}{path}"
    )
    try:
        status, body = get(host, f"https://demo.lemp.test{path}")
    finally:
        host.check_output(f"rm {root}{path}")
    assert status in (403, 404)
    assert "leaked" not in body


def test_static_and_proxy_sites_answer(host):
    host.check_output("echo 'static page' > /srv/www/docs/public/index.html && chmod 0644 /srv/www/docs/public/index.html")
    assert get(host, "https://docs.lemp.test/")[1].strip() == "static page"
    host.run("systemd-run --unit lemp-api python3 -m http.server 9000 --bind 127.0.0.1 --directory /srv/www/docs/public")
    host.check_output("for i in $(seq 50); do ss -Hltn | grep -q :9000 && exit 0; sleep 0.1; done; exit 1")
    assert get(host, "https://api.lemp.test/")[1].strip() == "static page"


@pytest.mark.parametrize(("site", "other"), [("shop", "demo"), ("demo", "shop")])
def test_sites_cannot_read_each_others_files_and_sessions(host, site, other):
    host.check_output(f"echo secret | install -o root -g {other} -m 0640 /dev/stdin /srv/www/{other}/secret")
    start_session = f"ini_set('session.use_strict_mode', 0); session_id('of{other}'); session_start();"
    run_in_pool(host, other, f"{start_session} $_SESSION['key'] = 'session secret';")
    assert host.run(f"grep -q 'session secret' /var/lib/php-fpm/{other}/session/sess_of{other}").rc == 0
    code = f"""
        $paths = ['/srv/www/{other}/secret', '/var/lib/php-fpm/{other}/session/sess_of{other}',
                  '/srv/www/demo/wp-config.php'];
        ini_set('open_basedir', '/');
        foreach ($paths as $path) echo json_encode([$path, (bool) @file_get_contents($path)]), "\\n";
        echo json_encode(['exec', trim((string) shell_exec('cat /srv/www/{other}/secret 2>/dev/null'))]), "\\n";
        {start_session} echo json_encode(['session', $_SESSION ?? []]);"""
    answers = dict(json.loads(line) for line in run_in_pool(host, site, code).splitlines())
    own_config = site == "demo"
    assert answers[f"/srv/www/{other}/secret"] is False
    assert answers[f"/var/lib/php-fpm/{other}/session/sess_of{other}"] is False
    assert answers["/srv/www/demo/wp-config.php"] is own_config
    assert answers["exec"] == ""
    assert answers["session"] == []


def test_site_cannot_read_its_neighbour_through_a_link_that_nginx_would_follow(host):
    secret, link = "/srv/www/demo/wp-salts.php", "/srv/www/shop/public/link.txt"
    host.check_output(f"ln -s {secret} {link} && chown -h shop:shop {link}")
    try:
        status, body = get(host, "https://shop.lemp.test/link.txt")
    finally:
        host.check_output(f"rm {link}")
    assert status in (403, 404)
    assert "AUTH_KEY" not in body


@pytest.mark.parametrize(
    ("site", "password", "other"), [("shop", "shop-password", "demo"), ("demo", 'demo\'s \\"password\\"', "shop")]
)
def test_sites_cannot_read_each_others_database(host, site, password, other):
    code = f"""
        mysqli_report(MYSQLI_REPORT_OFF);
        $db = mysqli_connect('localhost', '{site}', "{password}");
        echo json_encode(['own', $db && $db->query('use {site}')]), "\\n";
        echo json_encode(['other', $db && $db->query('use {other}')]), "\\n";
        echo json_encode(['mysql', $db && $db->query('select 1 from mysql.user')]), "\\n";
        echo json_encode(['as root', (bool) @mysqli_connect('localhost', 'root', '')]);"""
    answers = dict(json.loads(line) for line in run_in_pool(host, site, code).splitlines())
    assert answers == {"own": True, "other": False, "mysql": False, "as root": False}


def test_an_application_reaches_its_own_postgresql_database_alone(host):
    code = """
        $connect = fn ($name, $user, $password) => (bool) @pg_connect(
            "host='" . getenv('DB_HOST') . "' dbname='$name' user='$user' password='" . addcslashes($password, "'\\\\") . "'",
            PGSQL_CONNECT_FORCE_NEW);
        $db = pg_connect("host='" . getenv('DB_HOST') . "' dbname=crm user=crm password='"
            . addcslashes(getenv('DB_PASSWORD'), "'\\\\") . "'");
        pg_query($db, 'drop table if exists t; create table t (a int)');
        pg_query_params($db, 'insert into t values ($1)', [42]);
        echo json_encode(['own', pg_fetch_row(pg_query($db, 'select a, current_user from t'))]), "\\n";
        echo json_encode(['wrong password', $connect('crm', 'crm', 'wrong')]), "\\n";
        echo json_encode(['database of the server', $connect('postgres', 'crm', getenv('DB_PASSWORD'))]), "\\n";
        echo json_encode(['as postgres', $connect('postgres', 'postgres', '')]), "\\n";
        echo json_encode(['roles', (bool) @pg_query($db, 'create role other')]);"""
    answers = dict(json.loads(line) for line in run_in_pool(host, "crm", code).splitlines())
    assert answers == {
        "own": ["42", "crm"],
        "wrong password": False,
        "database of the server": False,
        "as postgres": False,
        "roles": False,
    }


def test_only_a_site_that_asks_has_secrets_in_its_variables(host):
    names = "echo json_encode(array_map('getenv', ['APP_ENV', 'DB_CONNECTION', 'DB_PASSWORD', 'REDIS_PREFIX']));"
    assert json.loads(run_in_pool(host, "crm", names)) == ["production", "pgsql", 'crm\'s \\ "password"', "crm:"]
    assert json.loads(run_in_pool(host, "shop", names)) == [False] * 4


def test_sessions_are_in_redis_and_survive_restarts(host):
    session = "ini_set('session.use_strict_mode', 0); session_id('ofcrm'); session_start();"
    run_in_pool(host, "crm", session + " $_SESSION['key'] = 'kept';")
    assert host.run("ls /var/lib/php-fpm/crm/session").stdout == ""
    host.check_output("systemctl restart 'php*-fpm' lemp-redis@session")
    assert run_in_pool(host, "crm", session + " echo $_SESSION['key'];") == "kept"


def test_sites_cannot_read_each_others_keys(host):
    # phpredis throws or returns false, by version.
    ask = """
        $redis = new Redis(); $redis->connect('/run/lemp-redis-{0}/redis.sock');
        $try = function ($method, ...$words) use ($redis) {{
            try {{ return $redis->$method(...$words); }} catch (RedisException $error) {{ return false; }}
        }};
        echo json_encode(!$try('auth', ['{1}', {2}]) ? [] : [
            $try('set', 'demo:key', 'of demo'), $try('get', 'demo:key'),
            $try('set', 'crm:key', 'of crm'), $try('get', 'crm:key'),
            $try('keys', '*'), $try('flushAll'), $try('config', 'GET', '*')]);"""

    def answers(site, *words):
        return json.loads(run_in_pool(host, site, ask.format(*words)))

    secret = '"demo\'s \\"cache\\""'
    assert answers("demo", "cache", "demo", secret) == [True, "of demo", False, False, False, False, False]
    assert answers("crm", "cache", "crm", "getenv('REDIS_PASSWORD')") == [False, False, True, "of crm", False, False, False]
    assert answers("shop", "cache", "demo", "'guessed'") == []
    # demo keeps no sessions there, so it does not come in at all.
    assert answers("demo", "session", "demo", secret) == []


def test_only_the_web_and_ssh_are_reachable_from_outside(host):
    outside = set()
    for line in host.check_output("ss -Hltn").splitlines():
        address, _, port = line.split()[3].rpartition(":")
        if not address.startswith(("127.", "[::1]")):
            outside.add(port)
    assert outside == {"22", "80", "443"}


def test_no_service_failed(host):
    assert host.check_output("systemctl --failed --no-legend") == ""


def test_the_plan_keeps_within_the_hosts_memory(host, php):
    pool = int(host.check_output("mariadb -N -e 'select @@innodb_buffer_pool_size'"))
    children = sum(
        int(line) for line in host.check_output(f"sed -n 's/^pm.max_children = //p' {php['pool_dir']}/*.conf").split()
    )
    assert children >= 4
    assert pool + children * 48 * 2**20 < 2048 * 2**20
