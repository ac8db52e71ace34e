"""WordPress is installed and kept apart from its neighbours; its code cannot be changed by the user that runs it."""

import json
import os
import pathlib
import re
import shlex

import pytest
import replay

SCENARIO = pathlib.Path(__file__).parent.parent
SCRATCH = os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]
WORDPRESS = ("blog", "news")


def root_of(host, site):
    """Of the package where it is used, which other sites have in their own directory."""
    own = f"/srv/www/{site}/public"
    return own if host.file(own).is_directory else "/usr/share/wordpress"


def content_of(host, site):
    home = f"/srv/www/{site}"
    return f"{home}/wp-content" if root_of(host, site) == "/usr/share/wordpress" else f"{home}/public/wp-content"


def config_of(host, site):
    packaged = f"/etc/wordpress/config-{site}.lemp.test.php"
    return packaged if root_of(host, site) == "/usr/share/wordpress" else f"/srv/www/{site}/wp-config.php"


def wordpress(host, site, code):
    """Run PHP code inside a site's WordPress, as the site's user."""
    root = root_of(host, site)
    program = f"$_SERVER['HTTP_HOST']='{site}.lemp.test'; require '{root}/wp-load.php'; {code}"
    return host.check_output("runuser -u %s -- php -r %s", site, program)


REDIS = "$(command -v valkey-cli || command -v redis-cli) -s /run/lemp-test-redis/redis.sock"
DROP_IN = "/usr/local/lib/lemp/wordpress-object-cache.php"
CACHES = {
    "redis": "['engine' => 'redis', 'host' => '/run/lemp-test-redis/redis.sock', 'port' => 0, 'prefix' => 'other:',"
    " 'user' => 'other', 'password' => 'other-cache']",
    "memcached": "['engine' => 'memcached', 'host' => '/run/lemp-test-memcached/memcached.sock', 'port' => 0,"
    " 'prefix' => 'other:']",
    "none": "['engine' => 'redis', 'host' => '/run/nothing.sock', 'port' => 0, 'prefix' => 'other:', 'user' => 'x',"
    " 'password' => 'x']",
}


def redis(host, words, user="root"):
    return host.check_output(f"{REDIS} --user {user} --pass {user}-cache --no-auth-warning {words}")


def object_cache(host, engine, *programs, blog=0):
    """Run each program in a process of its own, with the object cache alone; what each returns."""
    answers = []
    for program in programs:
        code = f"""
            define('ABSPATH', '/'); define('LEMP_OBJECT_CACHE', {CACHES[engine]});
            function is_multisite() {{ return {blog} > 0; }} function get_current_blog_id() {{ return {blog}; }}
            function wp_suspend_cache_addition() {{ return false; }}
            ini_set('error_log', '/dev/null');
            require '{DROP_IN}'; wp_cache_init(); wp_cache_add_global_groups(['users']);
            wp_cache_add_non_persistent_groups(['counts']);
            echo json_encode((function () {{ {program} }})());"""
        answers.append(json.loads(host.check_output("php -r %s", code)))
    return answers


@pytest.mark.parametrize("engine", ["redis", "memcached"])
def test_object_cache_keeps_values_between_requests(host, engine):
    long_key = '"a key with blanks é" . str_repeat("x", 300)'
    wrote, read = object_cache(
        host,
        engine,
        f"""wp_cache_flush();
            $object = (object) ['a' => 1]; wp_cache_set('object', $object, 'g'); $object->a = 2;
            return [wp_cache_add('n', 5), wp_cache_add('n', 6), wp_cache_set('false', false), wp_cache_set('text', '7'),
                    wp_cache_replace('none', 1), wp_cache_set('counted', 1, 'counts'), wp_cache_set('', 1),
                    wp_cache_set({long_key}, 'long'), wp_cache_get('object', 'g')->a,
                    wp_cache_set_multiple(['x' => 1, 'y' => [2]], 'g')];""",
        f"""$false = wp_cache_get('false', '', false, $found); wp_cache_get('nothing', '', false, $nothing);
            return [wp_cache_get('n'), wp_cache_add('n', 6), $false, $found, $nothing, wp_cache_get('text'),
                    wp_cache_get('counted', 'counts'), wp_cache_get('object', 'g')->a, wp_cache_get({long_key}),
                    wp_cache_get_multiple(['x', 'y', 'z'], 'g')];""",
    )
    assert wrote == [True, False, True, True, False, True, False, True, 1, {"x": True, "y": True}]
    assert read == [5, False, False, True, False, "7", False, 1, "long", {"x": 1, "y": [2], "z": False}]


@pytest.mark.parametrize("engine", ["redis", "memcached"])
def test_object_cache_counts_on_the_server_and_forgets_what_is_deleted(host, engine):
    answers = object_cache(
        host,
        engine,
        "wp_cache_set('n', 5); return [wp_cache_incr('n', 3), wp_cache_decr('n', 1), wp_cache_incr('nothing')];",
        "return [wp_cache_get('n'), wp_cache_decr('n', 100)];",
        "return [wp_cache_get('n'), wp_cache_replace('n', 9)];",
        "return [wp_cache_get('n'), wp_cache_delete('n'), wp_cache_delete('n')];",
        "return wp_cache_get('n');",
    )
    assert answers == [[8, 7, False], [7, 0], [0, True], [9, True, False], False]


@pytest.mark.parametrize("engine", ["redis", "memcached"])
def test_a_number_may_lose_a_digit_and_what_cannot_be_written_down_is_not_there(host, engine):
    answers = object_cache(
        host,
        engine,
        "wp_cache_set('n', 10); wp_cache_set('f', 1); return [wp_cache_decr('n'), wp_cache_set('f', fn() => 1)];",
        "wp_cache_set('after', 2); return [wp_cache_get('n'), wp_cache_get('f')];",
        "return [wp_cache_decr('n'), wp_cache_get('after')];",
    )
    assert answers == [[9, True], [9, False], [8, 2]]


@pytest.mark.parametrize("engine", ["redis", "memcached"])
def test_flush_forgets_everything_of_the_site_at_once(host, engine):
    set_up = "return wp_cache_set('a', 1) && wp_cache_set('b', 2, 'g');"
    look = "return [wp_cache_get('a'), wp_cache_get('b', 'g')];"
    assert object_cache(host, engine, set_up, look, "return wp_cache_flush();", look) == [True, [1, 2], True, [False, False]]


@pytest.mark.parametrize("engine", ["redis", "memcached"])
def test_blogs_of_a_network_share_global_groups_alone(host, engine):
    object_cache(host, engine, "wp_cache_set('a', 'one'); wp_cache_set('u', 'user', 'users');", blog=1)
    look = "return [wp_cache_get('a'), wp_cache_get('u', 'users'), wp_cache_switch_to_blog(1), wp_cache_get('a')];"
    assert object_cache(host, engine, look, blog=2) == [[False, "user", None, "one"]]


def test_without_a_server_values_last_for_the_request(host):
    program = """wp_cache_set('a', 1); wp_cache_add('a', 2); wp_cache_incr('a');
                 return [wp_cache_get('a'), wp_cache_get_multiple(['a', 'b']), wp_cache_delete('a'), wp_cache_flush()];"""
    assert object_cache(host, "none", program, "return wp_cache_get('a');") == [[2, {"a": 2, "b": False}, True, True], False]


def test_a_page_fills_the_sites_own_keys_and_the_next_one_finds_them(host):
    view = "get_option('blogname'); $c = $GLOBALS['wp_object_cache']; echo json_encode([$c->cache_hits, $c->cache_misses]);"
    wordpress(host, "blog", "wp_cache_flush();")
    first, second = (json.loads(wordpress(host, "blog", view)) for _ in range(2))
    assert second[1] < first[1]
    keys = [key for key in redis(host, "--scan").splitlines() if not key.startswith("other:")]
    assert len(keys) > 1
    assert all(key.startswith("blog:wp:") for key in keys)
    kept = next(key for key in keys if not key.endswith(":generation"))
    assert 0 < int(redis(host, f"ttl {shlex.quote(kept)}")) <= 604800
    assert wordpress(host, "blog", "update_option('lemp_test', 'new'); echo get_option('lemp_test');") == "new"
    assert wordpress(host, "blog", "echo get_option('lemp_test'); delete_option('lemp_test');") == "new"


def test_another_site_reaches_none_of_them(host):
    wordpress(host, "blog", "wp_cache_set('secret', 'of the blog');")
    [key] = [key for key in redis(host, "--scan").splitlines() if key.endswith(":default:secret")]
    assert "of the blog" in redis(host, f"get {key}")
    for command in (f"get {key}", f"set {key} x", f"del {key}", "--scan", "keys '*'", "flushall", "config get '*'"):
        assert "NOPERM" in host.run(f"{REDIS} --user other --pass other-cache --no-auth-warning {command} 2>&1").stdout, command
    assert "NOAUTH" in host.run(f"{REDIS} get {key}").stdout
    assert "WRONGPASS" in host.run(f"{REDIS} --user blog --pass wrong --no-auth-warning get {key} 2>&1").stdout


def test_a_redis_that_does_not_answer_still_serves_pages_and_is_in_the_log(host):
    program = (
        f"$_SERVER['HTTP_HOST']='blog.lemp.test'; require '{root_of(host, 'blog')}/wp-load.php'; echo get_option('blogname');"
    )
    host.check_output("systemctl kill --signal STOP lemp-test-redis")
    try:
        page = host.run("runuser -u blog -- php -r %s", program)
    finally:
        host.check_output("systemctl kill --signal CONT lemp-test-redis")
    assert (page.rc, page.stdout) == (0, "A blog&#039;s &quot;title&quot;")
    # The command line's log is its standard error.
    assert page.stderr.count("WordPress runs without its object cache: ") == 1


def test_object_cache_is_ours_or_that_of_somebody_else(host):
    ours = host.file(f"{content_of(host, 'blog')}/object-cache.php")
    assert (ours.is_symlink, ours.linked_to) == (True, DROP_IN)
    assert host.file(DROP_IN).user == "root"
    assert host.run(f"runuser -u blog -- sh -c 'echo >>{DROP_IN}'").rc != 0
    theirs = host.file(f"{content_of(host, 'news')}/object-cache.php")
    assert (theirs.is_symlink, theirs.content_string) == (False, "<?php // somebody's own\n")
    assert wordpress(host, "news", "echo (int) wp_using_ext_object_cache();") == "0"
    assert wordpress(host, "blog", "echo (int) wp_using_ext_object_cache();") == "1"


def test_object_cache_goes_when_the_site_has_no_cache_any_more(host):
    path = f"{content_of(host, 'blog')}/object-cache.php"
    said = play(blog_cache=None)
    assert "/srv/www/news/public/wp-content/object-cache.php is not ours and stays" in said
    assert not host.file(path).exists
    assert "LEMP_OBJECT_CACHE" not in host.file(config_of(host, "blog")).content_string
    assert wordpress(host, "blog", "echo (int) wp_using_ext_object_cache();") == "0"
    play()
    assert host.file(path).is_symlink


def play(**extra_vars):
    """Run the converge play again; returns what it printed, in one line."""
    status, output = replay.play(timeout=900, **extra_vars)
    said = re.sub(r"\s+", " ", output)
    assert status == 0, said
    return said


@pytest.mark.parametrize(
    ("site", "title", "url"),
    [("blog", "A blog&#039;s &quot;title&quot;", "https://blog.lemp.test"), ("news", "News", "https://news.lemp.test:8443")],
)
def test_blog_is_installed_in_its_own_database(host, site, title, url):
    assert wordpress(host, site, "echo get_option('blogname');") == title
    assert wordpress(host, site, "echo home_url();") == url
    assert host.check_output(f"mariadb -N -e 'select count(*) from {site}.wp_users'") == "1"


@pytest.mark.parametrize(
    ("site", "user", "password"), [("blog", "anna", 'admin\'s \\ "password"'), ("news", "bert", "another password")]
)
def test_administrator_can_log_in_and_nobody_else(host, site, user, password):
    escaped = password.replace("\\", "\\\\").replace("'", "\\'")
    check = (
        "$u = wp_authenticate('{}', wp_slash('{}'));"
        "echo is_wp_error($u) ? 'refused' : ($u->has_cap('manage_options') ? 'admin' : 'user');"
    )
    assert wordpress(host, site, check.format(user, escaped)) == "admin"
    assert wordpress(host, site, check.format(user, "wrong")) == "refused"


def test_salts_are_made_once_and_differ_between_sites(host):
    salts = [host.file(f"/srv/www/{site}/wp-salts.php").content_string for site in WORDPRESS]
    assert salts[0] != salts[1]
    for text in salts:
        values = [line.split("'")[3] for line in text.splitlines() if line.startswith("define")]
        assert len(set(values)) == 8
        assert all(len(value) == 64 for value in values)


@pytest.mark.parametrize("site", WORDPRESS)
def test_user_can_write_uploads_but_not_code(host, site):
    root, content = root_of(host, site), content_of(host, site)
    assert host.run(f"runuser -u {site} -- touch {content}/uploads/x").rc == 0
    for path in (f"{root}/index.php", f"{root}/wp-includes/version.php", f"{root}/new.php", f"/srv/www/{site}/new.php"):
        assert host.run(f"runuser -u {site} -- sh -c 'echo >>{path}'").rc != 0, path


def test_only_a_site_with_file_mods_may_install_plugins(host):
    assert host.run("runuser -u blog -- touch " + content_of(host, "blog") + "/plugins/x.php").rc != 0
    assert host.run("runuser -u news -- touch /srv/www/news/public/wp-content/plugins/x.php").rc == 0
    assert wordpress(host, "blog", "echo (int) wp_is_file_mod_allowed('x');") == "0"
    assert wordpress(host, "news", "echo (int) wp_is_file_mod_allowed('x');") == "1"


@pytest.mark.parametrize(("site", "other"), [("blog", "news"), ("news", "blog"), ("docs", "blog")])
def test_sites_cannot_read_each_other(host, site, other):
    assert host.run(f"runuser -u {site} -- ls /srv/www/{other}").rc != 0
    assert host.run(f"runuser -u {site} -- cat /srv/www/{other}/wp-salts.php").rc != 0
    assert host.run(f"runuser -u {site} -- cat {config_of(host, 'blog')}").rc == (0 if site == "blog" else 1)


@pytest.mark.parametrize("site", WORDPRESS)
def test_scheduled_tasks_run_by_a_timer_as_the_sites_user(host, site):
    assert host.service(f"lemp-wordpress-cron@{site}.timer").is_running
    assert host.service(f"lemp-wordpress-cron@{site}.timer").is_enabled
    # It could fire between the two looks.
    host.check_output(f"systemctl stop lemp-wordpress-cron@{site}.timer")
    try:
        wordpress(host, site, "wp_schedule_single_event(time() - 1, 'lemp_test_event');")
        assert wordpress(host, site, "echo (int) (bool) wp_next_scheduled('lemp_test_event');") == "1"
        host.check_output(f"systemctl start lemp-wordpress-cron@{site}.service")
        assert wordpress(host, site, "echo (int) (bool) wp_next_scheduled('lemp_test_event');") == "0"
    finally:
        host.check_output(f"systemctl start lemp-wordpress-cron@{site}.timer")


def test_a_site_that_is_gone_lost_its_timer(host):
    assert not host.file("/etc/lemp/wordpress-gone.conf").exists
    assert not host.service("lemp-wordpress-cron@gone.timer").is_running
    assert not host.service("lemp-wordpress-cron@gone.timer").is_enabled


def test_a_timer_without_a_site_does_no_harm(host):
    host.check_output("systemctl start lemp-wordpress-cron@docs.service")
    said = host.check_output("journalctl --sync; journalctl --unit lemp-wordpress-cron@docs.service --output cat")
    assert "Skipped due to 'exec-condition'." in said
    assert host.check_output("systemctl --failed --no-legend") == ""


def test_a_theme_is_there(host):
    assert wordpress(host, "blog", "echo wp_get_theme()->exists() ? 'yes' : 'no';") == "yes"


def test_apache_did_not_come_along(host):
    assert not host.package("apache2").is_installed
    assert not host.package("httpd").is_installed


def test_no_password_is_readable_by_others(host):
    found = host.run("grep -rlE 'news-password|another password' /etc /srv /root /tmp /var/tmp /usr/local").stdout.split()
    assert found == ["/srv/www/news/wp-config.php"]
    assert host.run("grep -rl blog-cache /etc /srv /root /tmp /var/tmp /usr/local").stdout.split() == [config_of(host, "blog")]
    config = host.file("/srv/www/news/wp-config.php")
    assert (config.mode, config.user, config.group) == (0o640, "root", "news")
