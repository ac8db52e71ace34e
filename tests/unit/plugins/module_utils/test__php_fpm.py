"""Role php_fpm: inputs that cannot be, and what pools need on a host."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._php_fpm import host, packages, problems

SHOP = {"name": "shop", "user": "shop", "home": "/srv/www/shop", "socket": "/run/php-fpm/shop.sock"}
BLOG = {"name": "blog", "user": "blog", "home": "/srv/www/blog", "socket": "/run/php-fpm/blog.sock", "version": "8.2"}


DEBIAN = {
    "package": "php%s-",
    "names": {},
    "pool_dir": "/etc/php/%s/fpm/pool.d",
    "ini_dir": "/etc/php/%s/fpm/conf.d",
    "binary": "php-fpm%s",
    "service": "php%s-fpm.service",
}
REMI = {
    "package": "php%d-php-",
    "names": {"mysql": "mysqlnd", "curl": "common", "exif": "common"},
    "pool_dir": "/etc/opt/remi/php%d/php-fpm.d",
    "ini_dir": "/etc/opt/remi/php%d/php.d",
    "binary": "/opt/remi/php%d/root/usr/sbin/php-fpm",
    "service": "php%d-php-fpm.service",
}


def found_in(*pools: dict[str, Any]) -> list[str]:
    return problems(pools, "distribution", ["distribution", "sury"])


def on_host(
    *pools: dict[str, Any],
    running: list[str],
    installed: list[str],
    limits: dict[str, dict[str, Any]] | None = None,
    layout: dict[str, Any] = DEBIAN,
) -> dict[str, Any]:
    return host(
        pools,
        wanted=running,
        running=running,
        installed=installed,
        default_version="8.4",
        layout=layout,
        log_dir="/var/log/php-fpm",
        log_group="adm",
        plan={"limits": limits or {}, "php_fpm": {"planned": True}},
    )


def test_a_package_source_that_the_platform_lacks_is_refused() -> None:
    assert problems([], "remi", ["distribution", "sury"]) == [
        "php_fpm_package_source: remi is not for this platform; use distribution or sury."
    ]


def test_a_source_without_a_default_needs_versions() -> None:
    assert problems([SHOP, BLOG], "remi", ["distribution", "remi"]) == [
        "php_fpm_package_source: remi has no version of its own; give shop a version such as 8.4."
    ]
    assert problems([BLOG], "remi", ["distribution", "remi"]) == []


def test_packages_are_named_after_version_and_layout() -> None:
    assert packages(["8.2", "8.4"], ["fpm", "mysql"], DEBIAN) == ["php8.2-fpm", "php8.2-mysql", "php8.4-fpm", "php8.4-mysql"]
    assert packages(["8.4"], ["mysql", "curl", "exif"], REMI) == ["php84-php-mysqlnd", "php84-php-common"]


def test_every_version_has_settings_and_every_pool_a_file_where_the_layout_says() -> None:
    found = on_host(SHOP, running=["8.4"], installed=["8.4"], layout=REMI)
    templates = {file["src"]: file["dest"] for file in found["files"] if "src" in file}
    assert templates == {
        "php/conf.d/90-lemp.ini.j2": "/etc/opt/remi/php84/php.d/90-lemp.ini",
        "php/pool.d/lemp-global.conf.j2": "/etc/opt/remi/php84/php-fpm.d/lemp-global.conf",
        "php/pool.d/lemp-pool.conf.j2": "/etc/opt/remi/php84/php-fpm.d/lemp-shop.conf",
    }
    assert found["trees"] == ["/etc/opt/remi/php84/php-fpm.d", "/etc/opt/remi/php84/php.d"]
    assert found["validators"] == [["/opt/remi/php84/root/usr/sbin/php-fpm", "-t"]]
    assert [unit["name"] for unit in found["units"]] == ["php84-php-fpm.service"]


def test_a_pool_is_rendered_with_its_plan_and_its_own_time_limit() -> None:
    pools = [{**SHOP, "max_execution_time_seconds": 100}, {**BLOG, "request_terminate_timeout_seconds": "90"}]
    files = on_host(*pools, running=["8.2", "8.4"], installed=["8.2", "8.4"])["files"]
    given = [file["vars"] for file in files if file.get("mode") == "0640" and "vars" in file]
    assert [variables["__php_fpm_terminate_seconds"] for variables in given] == [110, 90]
    assert [variables["__php_fpm_planned"] for variables in given] == [{"planned": True}] * 2


def test_good_pools_have_no_problem() -> None:
    assert found_in(SHOP, BLOG) == []


@pytest.mark.parametrize("key", ["name", "user", "socket"])
def test_nothing_is_shared(key: str) -> None:
    assert f"two pools have the same {key} (" in found_in(SHOP, {**BLOG, key: SHOP[key]})[0]


@pytest.mark.parametrize("socket", ["/tmp/shop.sock", "/run/php-fpm/", "/run/php-fpm/a/b.sock", "/run/php-fpmx/a"])
def test_sockets_lie_in_their_directory(socket: str) -> None:
    assert found_in({**SHOP, "socket": socket}) == [f"php_fpm_pools: shop has socket {socket}; put it into /run/php-fpm."]


@pytest.mark.parametrize(("wall", "processor"), [(60, 60), ("50", "60"), (70, 90)])
def test_a_request_may_take_longer_than_it_computes(wall: Any, processor: Any) -> None:
    pool = {**SHOP, "request_terminate_timeout_seconds": wall, "max_execution_time_seconds": processor}
    assert f"request_terminate_timeout_seconds {wall}, which must exceed its max_execution_time_seconds" in found_in(pool)[0]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"env": {"A B": "secret"}}, "env of shop has a variable 'A B'; use letters, digits and _ in its name."),
        ({"env": {"A": "$secret"}}, "env of shop gives A a value that begins with $, which PHP-FPM takes for the name"),
        ({"env": {"A": "secret\n"}}, "env of shop gives A a value with a control character; write it on one line."),
        ({"session_save_handler": "redis"}, "shop has session_save_handler redis; give it together with session_save_path"),
        ({"session_save_path": "secret"}, "shop has session_save_handler files; give it together with session_save_path"),
    ],
)
def test_what_php_fpm_would_not_hand_on_is_refused_and_never_shown(given: dict[str, Any], sentence: str) -> None:
    [said] = found_in({**SHOP, **given})
    assert said.startswith(f"php_fpm_pools: {sentence}")
    assert "secret" not in said


def test_secrets_of_a_pool_are_in_a_file_of_their_own_that_is_never_shown() -> None:
    pools = [{**SHOP, "env": {"A": "secret"}}, {**BLOG, "session_save_handler": "redis", "session_save_path": "unix:///x"}]
    files = on_host(*pools, running=["8.2", "8.4"], installed=["8.2", "8.4"])["files"]
    hidden = {file["dest"]: (file["mode"], file.get("owner", "root")) for file in files if file.get("sensitive")}
    assert hidden == {
        "/etc/php/8.4/fpm/pool.d/lemp-shop.secrets.conf": ("0640", "root"),
        "/etc/php/8.2/fpm/pool.d/lemp-blog.secrets.conf": ("0640", "root"),
    }
    assert not [file for file in on_host(SHOP, running=["8.4"], installed=["8.4"])["files"] if file.get("sensitive")]


def test_each_pool_has_a_user_directories_and_a_log_of_its_own() -> None:
    found = on_host(SHOP, running=["8.4"], installed=["8.4"])
    assert found["users"] == [{"name": "shop", "comment": "Site shop", "home": "/srv/www/shop"}]
    modes = {entry["path"]: (entry.get("owner", "root"), entry.get("mode", "0755")) for entry in found["directories"]}
    assert modes["/var/lib/php-fpm"] == ("root", "0711")
    assert modes["/var/lib/php-fpm/shop"] == ("root", "0750")
    assert modes["/var/lib/php-fpm/shop/session"] == modes["/var/lib/php-fpm/shop/tmp"] == ("shop", "0700")
    [log] = [file for file in found["files"] if "src" not in file]
    assert (log["dest"], log["owner"], log["force"]) == ("/var/log/php-fpm/shop.error.log", "shop", False)


def test_a_version_that_lost_its_pools_ends_before_another_takes_their_sockets() -> None:
    found = on_host(SHOP, running=["8.4"], installed=["8.2", "8.4"])
    assert found["units"] == [
        {"name": "php8.2-fpm.service", "running": False, "stop_on": ["/etc/php/8.2/fpm/pool.d/*"]},
        {
            "name": "php8.4-fpm.service",
            "reload_on": ["/etc/php/8.4/fpm/pool.d/*", "/etc/php/8.4/fpm/conf.d/*"],
            "reload_execs": True,
            "restart_on": [],
            "listen": ["/run/php-fpm/shop.sock"],
        },
    ]
    assert found["trees"] == [f"/etc/php/{version}/fpm/{name}" for version in ("8.2", "8.4") for name in ("pool.d", "conf.d")]
    assert found["validators"] == [["php-fpm8.4", "-t"]]


def test_each_version_listens_on_the_sockets_of_its_own_pools() -> None:
    units = on_host(SHOP, BLOG, running=["8.2", "8.4"], installed=["8.2", "8.4"])["units"]
    assert [unit["listen"] for unit in units] == [["/run/php-fpm/blog.sock"], ["/run/php-fpm/shop.sock"]]


def limits_in(found: dict[str, Any], version: str) -> dict[str, str]:
    lines = [
        line for file in found["files"] if f"php{version}-fpm.service.d" in file["dest"] for line in file["content"].split()
    ]
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_each_version_is_held_to_its_own_limits_and_started_anew_where_they_need_it() -> None:
    limits = {
        "php_fpm@": {"MemoryMax": 100, "OOMScoreAdjust": 200},
        "php_fpm@8.4": {"MemoryMax": 30, "OOMScoreAdjust": 200},
        "php_fpm@8.2": {"MemoryMax": 7, "OOMScoreAdjust": 200},
    }
    found = on_host(SHOP, BLOG, running=["8.2", "8.4"], installed=["8.2", "8.4"], limits=limits)
    assert limits_in(found, "8.4") == {"MemoryMax": "130", "OOMScoreAdjust": "200"}
    assert limits_in(found, "8.2") == {"MemoryMax": "7", "OOMScoreAdjust": "200"}
    assert [unit["reload_on"][2] for unit in found["units"]] == [
        "/etc/systemd/system/php8.2-fpm.service.d/lemp-limits.conf",
        "/etc/systemd/system/php8.4-fpm.service.d/lemp-limits.conf",
    ]
    assert [unit["restart_on"] for unit in found["units"]] == [
        ["/etc/systemd/system/php8.2-fpm.service.d/lemp-start.conf"],
        ["/etc/systemd/system/php8.4-fpm.service.d/lemp-start.conf"],
    ]
