"""WordPress is installed and kept apart from its neighbours; its code cannot be changed by the user that runs it."""

import pytest

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
    config = host.file("/srv/www/news/wp-config.php")
    assert (config.mode, config.user, config.group) == (0o640, "root", "news")
