"""PHP-FPM: what the rendered pools and settings say, and what php-fpm itself says about them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendering import PLATFORMS, Role, daemon, lines

from ansible_collections.lemp.stack.plugins.module_utils._plan.timeouts import terminate_seconds

ROLE = Role("php_fpm")
BLOG = {
    "name": "blog",
    "user": "blog",
    "home": "/srv/www/blog",
    "socket": "/run/php-fpm/blog.sock",
    "version": "8.2",
    "worker_memory_mb": 32,
    "memory_limit_mb": 192,
    "max_execution_time_seconds": 100,
    "request_terminate_timeout_seconds": 110,
    "post_max_size_mb": 32,
    "open_basedir": ["/srv/www/blog", "/usr/share/wordpress"],
    "settings": {"date.timezone": "Europe/Berlin", "assert.active": False, "precision": 10, "user_agent": 'a "quoted"; word'},
}
SHOP = {"name": "shop", "user": "shop", "home": "/srv/www/shop", "socket": "/run/php-fpm/shop.sock"}
POOLS = [BLOG, SHOP]


def pool(given: dict[str, Any], **overrides: Any) -> str:
    pools = overrides.pop("php_fpm_pools", POOLS)
    planned = ROLE.evaluate("{{ __php_fpm_plan.php_fpm }}", php_fpm_pools=pools)
    return ROLE.render(
        "php/pool.d/lemp-pool.conf",
        __php_fpm_pool=given,
        __php_fpm_planned=planned,
        __php_fpm_terminate_seconds=terminate_seconds(given),
        php_fpm_pools=pools,
        **overrides,
    )


def settings(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.\[\]]+) = (.*)$", text, re.M))


def test_a_pool_runs_as_the_user_of_its_site_and_only_the_web_server_may_connect() -> None:
    values = settings(pool(BLOG))
    assert (values["user"], values["group"], values["listen"]) == ("blog", "blog", "/run/php-fpm/blog.sock")
    assert (values["listen.owner"], values["listen.mode"]) == ("www-data", "0660")


def test_the_plan_decides_the_number_of_workers() -> None:
    values = settings(pool(BLOG))
    assert values["pm"] in ("dynamic", "ondemand")
    assert 1 <= int(values["pm.max_children"]) <= 16


def test_a_pinned_number_of_workers_is_used() -> None:
    pinned = {**BLOG, "max_children": 3}
    text = pool(pinned, php_fpm_pools=[pinned])
    assert (settings(text)["pm.max_children"], settings(text)["pm"]) == ("3", "ondemand")


def test_all_pools_together_stay_within_the_plan() -> None:
    total = sum(int(settings(pool(given))["pm.max_children"]) for given in POOLS)
    assert settings(ROLE.render("php/pool.d/lemp-global.conf", php_fpm_pools=POOLS))["process.max"] == str(total)


@pytest.mark.parametrize("pools", [[], POOLS], ids=["none", "two"])
def test_a_reload_outlasts_the_longest_request(pools: list[dict[str, Any]]) -> None:
    wait = settings(ROLE.render("php/pool.d/lemp-global.conf", php_fpm_pools=pools))["process_control_timeout"]
    assert int(wait.removesuffix("s")) > max((item.get("request_terminate_timeout_seconds", 70) for item in pools), default=70)


def test_an_uploaded_file_fits_into_a_request_body() -> None:
    values = settings(pool(BLOG))
    body, file = values["php_admin_value[post_max_size]"], values["php_admin_value[upload_max_filesize]"]
    assert body == "32M"
    assert 0 < int(file.removesuffix("K")) < 32 * 1024


def test_a_pool_may_open_its_own_directories_and_nothing_of_other_pools() -> None:
    opened = settings(pool(BLOG))["php_admin_value[open_basedir]"].split(":")
    assert opened[:2] == ["/srv/www/blog", "/usr/share/wordpress"]
    assert [path for path in opened if "shop" in path] == []
    assert [path for path in opened if not path.startswith("/")] == []


def test_sessions_uploads_and_logs_of_two_pools_never_meet() -> None:
    keys = ("session.save_path", "upload_tmp_dir", "sys_temp_dir", "error_log")
    first, second = settings(pool(BLOG)), settings(pool(SHOP))
    for key in keys:
        assert first[f"php_admin_value[{key}]"] != second[f"php_admin_value[{key}]"]
    assert first["slowlog"] != second["slowlog"]


def test_settings_of_a_site_are_written_as_php_reads_them() -> None:
    values = settings(pool(BLOG))
    assert values["php_value[date.timezone]"] == '"Europe/Berlin"'
    assert values["php_value[assert.active]"] == "0"
    assert values["php_value[precision]"] == "10"


def test_every_version_hides_itself_and_shows_no_errors_to_visitors() -> None:
    values = settings(ROLE.render("php/conf.d/90-lemp.ini"))
    assert (values["expose_php"], values["display_errors"], values["allow_url_include"]) == ("Off", "Off", "Off")
    assert values["opcache.validate_permission"] == "1"


def test_opcache_takes_what_the_plan_charges_for_it() -> None:
    values = settings(ROLE.render("php/conf.d/90-lemp.ini"))
    assert int(values["opcache.memory_consumption"]) == ROLE.evaluate("{{ __php_fpm_plan.opcache.memory_consumption_mb }}")


def test_settings_for_all_pools_come_last() -> None:
    text = ROLE.render("php/conf.d/90-lemp.ini", php_fpm_settings={"display_errors": "stderr"})
    assert lines(text)[-1] == 'display_errors = "stderr"'


REDIS = {
    **SHOP,
    "session_save_handler": "redis",
    "session_save_path": "unix:///run/redis.sock?auth[]=shop&auth[]=secret",
    "env": {"DB_PASSWORD": 'it\'s a \\ "${HOME}"; # secret', "APP_ENV": "production", "EMPTY": ""},
}


def secrets(given: dict[str, Any]) -> str:
    return ROLE.render(
        "php/pool.d/lemp-pool.secrets.conf",
        __php_fpm_pool=given,
        __php_fpm_terminate_seconds=terminate_seconds(given),
    )


def test_sessions_elsewhere_are_locked_no_longer_than_a_request_lasts() -> None:
    values = settings(secrets(REDIS))
    assert values["php_admin_value[session.save_handler]"] == "redis"
    assert values["php_admin_value[session.save_path]"] == '"unix:///run/redis.sock?auth[]=shop&auth[]=secret"'
    assert int(values["php_admin_value[redis.session.lock_expire]"]) == 70
    waiting = int(values["php_admin_value[redis.session.lock_retries]"]) * 20_000 / 1e6
    assert waiting == 60


def test_the_pools_own_file_holds_no_secret() -> None:
    text = pool(REDIS)
    assert "secret" not in text
    assert "session.save_path" not in text


def test_variables_are_written_so_that_nothing_in_them_has_a_meaning() -> None:
    values = settings(secrets(REDIS))
    assert values["env[APP_ENV]"] == '"production"'
    assert values["env[DB_PASSWORD]"] == r'''"it's a \\ \"$""{HOME}\"; # secret"'''
    assert settings(secrets({**SHOP, "env": {"A": 1, "B": "é", "EMPTY": ""}})) == {"env[A]": '"1"', "env[B]": '"é"'}


@pytest.mark.parametrize(
    ("platform", "package", "is_in_epel"),
    [("Debian 13", "php8.4-redis", False), ("Rocky 9", "php-pecl-redis6", True), ("Rocky 10", "php-pecl-redis6", False)],
)
def test_an_extension_is_named_and_found_as_the_platform_has_it(platform: str, package: str, is_in_epel: bool) -> None:
    inputs = {
        "ansible_facts": {**PLATFORMS[platform], "packages": {}},
        "php_fpm_pools": [{**SHOP, "extensions": ["redis"]}],
        "__php_fpm_available": {"stdout": "8.3.1"},
    }
    assert package in ROLE.evaluate("{{ __php_fpm_packages }}", **inputs)
    assert ("redis" in ROLE.evaluate("{{ __php_fpm_platform.epel_modules }}", **inputs)) is is_in_epel


def write_tree(folder: Path, pools: list[dict[str, Any]]) -> Path:
    """The role's files below ``folder``, with sockets, states and logs there too and the user of this process."""
    main = folder / "php-fpm.conf"
    texts = [ROLE.render("php/pool.d/lemp-global.conf", php_fpm_pools=pools)]
    for given in pools:
        texts += [pool(given, php_fpm_pools=pools), *([secrets(given)] if "env" in given else [])]
    text = "\n".join(texts)
    for old, new in {
        r"/run/php-fpm|/var/log/php-fpm|/var/lib/php-fpm": str(folder),
        r"^(user|group) = .*$": r"\1 = nobody",
        r"^(listen\.(?:owner|group)) = .*$": r"\1 = root",
    }.items():
        text = re.sub(old, new, text, flags=re.M)
    main.write_text(text.replace("group = nobody", "group = nogroup"))
    return main


def judge(configuration: Path) -> subprocess.CompletedProcess[str]:
    command = [daemon("php-fpm", "php-fpm[0-9]*"), "-t", "-R", "-y", configuration]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("weight", [1, 20])
def test_php_fpm_accepts_the_pools(weight: int, tmp_path: Path) -> None:
    done = judge(write_tree(tmp_path, [{**BLOG, "weight": weight}, REDIS]))
    assert "test is successful" in done.stderr
    assert "WARNING" not in done.stderr
    assert done.returncode == 0


def test_php_fpm_would_notice_a_broken_template(tmp_path: Path) -> None:
    configuration = write_tree(tmp_path, POOLS)
    configuration.write_text(configuration.read_text().replace("pm.max_children", "pm.most_children"))
    assert judge(configuration).returncode != 0
