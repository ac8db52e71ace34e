"""Redis: what the rendered files say on every platform, and what the programs of the host say about them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendering import PLATFORMS, Role, lines

ROLE = Role("redis")
each_platform = pytest.mark.parametrize("facts", PLATFORMS.values(), ids=PLATFORMS)
SHOP = {"name": "shop", "password": "shop-Secret-1", "key_prefix": "shop:"}
INSTANCES = [{"name": "cache", "users": [SHOP]}, {"name": "queue", "use": "queue", "port": 6380, "users": [SHOP]}]


def host(**overrides: Any) -> dict[str, Any]:
    found: dict[str, Any] = ROLE.evaluate("{{ __redis_host }}", **{"redis_instances": INSTANCES, **overrides})
    return found


def configuration(index: int = 0, **overrides: Any) -> list[str]:
    instance = host(**overrides)["instances"][index]
    return lines(ROLE.render("etc/lemp-redis/instance.conf", __redis_instance=instance, **overrides))


def test_without_a_port_the_socket_is_the_only_way_in() -> None:
    text = configuration()
    assert "port 0" in text
    assert "unixsocket /run/lemp-redis-cache/redis.sock" in text
    assert not [line for line in text if line.startswith(("bind", "tls-"))]


def test_a_port_is_at_loopback_unless_told_and_speaks_tls_beyond() -> None:
    assert {"port 6380", "bind 127.0.0.1"} <= set(configuration(1))
    text = configuration(1, redis_bind_address="10.0.0.5")
    assert {"port 0", "tls-port 6380", "bind 10.0.0.5", "tls-cert-file /etc/lemp-redis/tls/server.pem"} <= set(text)
    given = {"certificate": "/etc/ssl/a.pem", "key": "/etc/ssl/a.key"}
    text = configuration(1, redis_bind_address="10.0.0.5", redis_tls=given)
    assert {"tls-cert-file /etc/ssl/a.pem", "tls-key-file /etc/ssl/a.key"} <= set(text)
    assert not [line for line in text if line.startswith("tls-ca-cert-file")]


def test_what_is_written_to_disk_follows_the_use() -> None:
    assert {"appendonly no", 'save ""', "maxmemory-policy allkeys-lru"} <= set(configuration())
    assert {"appendonly yes", "appendfsync everysec", 'save ""', "maxmemory-policy noeviction"} <= set(configuration(1))


def test_sizes_come_from_the_plan_and_can_be_decided_by_hand() -> None:
    planned = ROLE.evaluate("{{ __redis_plan.redis.instances.cache.maxmemory }}", redis_instances=INSTANCES)
    assert f"maxmemory {planned}" in configuration()
    given = [{**INSTANCES[0], "maxmemory_mb": 77, "maxclients": 99}]
    assert {f"maxmemory {77 * 2**20}", "maxclients 99"} <= set(configuration(redis_instances=given))


def test_further_settings_are_in_every_instance() -> None:
    for index in (0, 1):
        assert (
            configuration(index, redis_extra_settings={"ignore-warnings": "ARM64-COW-BUG"})[-1]
            == "ignore-warnings ARM64-COW-BUG"
        )


def test_no_password_is_in_a_file() -> None:
    found = host()
    assert "shop-Secret-1" not in str(found)
    assert "shop-Secret-1" not in "\n".join(configuration())


@each_platform
def test_the_unit_runs_the_platforms_server_with_the_platforms_user(facts: dict[str, Any]) -> None:
    text = lines(ROLE.render("etc/systemd/system/lemp-redis@.service", ansible_facts=facts))
    valkey = facts["distribution"] == "Rocky" and facts["distribution_major_version"] == "10"
    name = "valkey" if valkey else "redis"
    assert f"ExecStart=/usr/bin/{name}-server /etc/lemp-redis/%i.conf --supervised systemd --daemonize no" in text
    assert f"User={name}" in text
    assert f"ReadWritePaths=-/var/lib/{name}/%i" in text


@each_platform
@pytest.mark.parametrize("program", ["usr/local/sbin/lemp-redis", "usr/local/lib/lemp/redis-reload"])
def test_programs_are_such_that_a_shell_reads_them(program: str, facts: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_text(ROLE.render(program, ansible_facts=facts))
    assert path.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", path], check=True)


def test_rules_for_the_firewall_are_offered_beyond_loopback_only() -> None:
    expression = "{{ redis_exported_firewall_rules }}"
    assert ROLE.evaluate(expression, redis_instances=INSTANCES) == []
    assert ROLE.evaluate(expression, redis_instances=INSTANCES, redis_bind_address="0.0.0.0") == [
        {"name": "redis-queue", "port": 6380, "protocol": "tcp", "sources": []}
    ]


def test_users_are_those_that_the_installed_version_knows() -> None:
    def acl(version: str) -> str:
        facts = {**PLATFORMS["Debian 12"], "packages": {"redis-server": [{"version": version}]} if version else {}}
        files = host(ansible_facts=facts)["files"]
        return next(file["content"] for file in files if file["dest"].endswith("cache.acl"))

    assert "&shop:*" in acl("5:7.0.15-1~deb12u1")
    assert "&" not in acl("5:6.0.16-1ubuntu1")
    assert "client|setinfo" in acl("8.0.2")
    assert "&" not in acl("")
