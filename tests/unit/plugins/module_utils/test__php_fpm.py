"""Role php_fpm: inputs that cannot be, and what pools need on a host."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._php_fpm import host, problems

SHOP = {"name": "shop", "user": "shop", "home": "/srv/www/shop", "socket": "/run/php-fpm/shop.sock"}
BLOG = {"name": "blog", "user": "blog", "home": "/srv/www/blog", "socket": "/run/php-fpm/blog.sock", "version": "8.2"}


def on_host(
    *pools: dict[str, Any], running: list[str], installed: list[str], limits: dict[str, dict[str, Any]] | None = None
) -> dict[str, Any]:
    return host(
        pools,
        running=running,
        installed=installed,
        default_version="8.4",
        service="php%s-fpm.service",
        config_dir="/etc/php/%s/fpm",
        binary="php-fpm%s",
        log_group="adm",
        limits=limits or {},
    )


def test_good_pools_have_no_problem() -> None:
    assert problems([SHOP, BLOG]) == []


@pytest.mark.parametrize("key", ["name", "user", "socket"])
def test_nothing_is_shared(key: str) -> None:
    assert f"two pools have the same {key} (" in problems([SHOP, {**BLOG, key: SHOP[key]}])[0]


@pytest.mark.parametrize("socket", ["/tmp/shop.sock", "/run/php-fpm/", "/run/php-fpm/a/b.sock", "/run/php-fpmx/a"])
def test_sockets_lie_in_their_directory(socket: str) -> None:
    assert problems([{**SHOP, "socket": socket}]) == [f"php_fpm_pools: shop has socket {socket}; put it into /run/php-fpm."]


@pytest.mark.parametrize(("wall", "processor"), [(60, 60), ("50", "60"), (70, 90)])
def test_a_request_may_take_longer_than_it_computes(wall: Any, processor: Any) -> None:
    pool = {**SHOP, "request_terminate_timeout_seconds": wall, "max_execution_time_seconds": processor}
    assert f"request_terminate_timeout_seconds {wall}, which must exceed its max_execution_time_seconds" in problems([pool])[0]


def test_each_pool_has_a_user_directories_and_a_log_of_its_own() -> None:
    found = on_host(SHOP, running=["8.4"], installed=["8.4"])
    assert found["users"] == [{"name": "shop", "comment": "Site shop", "home": "/srv/www/shop"}]
    modes = {entry["path"]: (entry.get("owner", "root"), entry.get("mode", "0755")) for entry in found["directories"]}
    assert modes["/var/lib/php-fpm"] == ("root", "0711")
    assert modes["/var/lib/php-fpm/shop"] == ("root", "0750")
    assert modes["/var/lib/php-fpm/shop/session"] == modes["/var/lib/php-fpm/shop/tmp"] == ("shop", "0700")
    [log] = found["files"]
    assert (log["dest"], log["owner"], log["force"]) == ("/var/log/php-fpm/shop.error.log", "shop", False)


def test_a_version_that_lost_its_pools_ends_before_another_takes_their_sockets() -> None:
    found = on_host(SHOP, running=["8.4"], installed=["8.2", "8.4"])
    assert found["units"] == [
        {"name": "php8.2-fpm.service", "running": False, "stop_on": ["/etc/php/8.2/fpm/pool.d/*"]},
        {
            "name": "php8.4-fpm.service",
            "reload_on": ["/etc/php/8.4/fpm/*"],
            "reload_execs": True,
            "restart_on": [],
            "listen": ["/run/php-fpm/shop.sock"],
        },
    ]
    assert found["trees"] == ["/etc/php/8.2/fpm", "/etc/php/8.4/fpm"]
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
    assert [unit["reload_on"][1] for unit in found["units"]] == [
        "/etc/systemd/system/php8.2-fpm.service.d/lemp-limits.conf",
        "/etc/systemd/system/php8.4-fpm.service.d/lemp-limits.conf",
    ]
    assert [unit["restart_on"] for unit in found["units"]] == [
        ["/etc/systemd/system/php8.2-fpm.service.d/lemp-start.conf"],
        ["/etc/systemd/system/php8.4-fpm.service.d/lemp-start.conf"],
    ]
