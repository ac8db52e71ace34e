"""Memcached: what the rendered drop-in says on every platform."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendering import PLATFORMS, Role, lines

ROLE = Role("memcached")
USERS = [{"name": "shop", "password": "shop-Secret-1"}]


def command(**overrides: Any) -> str:
    text = lines(ROLE.render("etc/systemd/system/memcached.service.d/lemp-memcached.conf", **overrides))
    (found,) = [line for line in text if line.startswith("ExecStart=/")]
    return found


def test_the_socket_is_the_only_way_in_unless_told() -> None:
    assert " -s /run/memcached/memcached.sock -a 0666 -U 0 " in command()
    assert " -l 127.0.0.1 -p 11311 -U 0 " in command(memcached_listen="127.0.0.1", memcached_port=11311)


def test_sizes_come_from_the_plan_and_can_be_decided_by_hand() -> None:
    planned = ROLE.evaluate("{{ __memcached_plan.memcached }}")
    sizes = f" -m {planned['memory_mb']} -c {planned['max_connections']} -t {planned['threads']} -I 1m"
    assert command().endswith(sizes)
    given = command(memcached_memory_mb=77, memcached_max_connections=99, memcached_max_item_size_mb=3)
    assert " -m 77 -c 99 " in given
    assert given.endswith(" -I 3m")


def test_users_come_in_by_sasl_and_in_no_other_way() -> None:
    assert command(memcached_users=USERS).endswith(" -S -B binary")
    files = ROLE.evaluate("{{ __memcached_files }}", memcached_users=USERS)
    (users,) = [file for file in files if file["dest"] == "/etc/lemp-memcached/users"]
    assert (users["sensitive"], users["mode"]) == (True, "0600")
    assert ROLE.render("etc/lemp-memcached/users", memcached_users=USERS) == "shop shop-Secret-1\n"
    assert "/etc/lemp-memcached/users" not in [file["dest"] for file in ROLE.evaluate("{{ __memcached_files }}")]


@pytest.mark.parametrize("facts", PLATFORMS.values(), ids=PLATFORMS)
def test_it_runs_as_the_platforms_user(facts: dict[str, Any], tmp_path: Path) -> None:
    user = {"Debian": "memcache", "RedHat": "memcached"}[facts["os_family"]]
    assert f"User={user}" in lines(
        ROLE.render("etc/systemd/system/memcached.service.d/lemp-memcached.conf", ansible_facts=facts)
    )
    program = tmp_path / "program"
    program.write_text(ROLE.render("usr/local/lib/lemp/memcached-users", ansible_facts=facts))
    subprocess.run(["sh", "-n", program], check=True)


def test_rules_for_the_firewall_are_offered_beyond_loopback_only() -> None:
    expression = "{{ memcached_exported_firewall_rules }}"
    assert ROLE.evaluate(expression) == []
    assert ROLE.evaluate(expression, memcached_listen="10.0.0.5", memcached_firewall_sources=["10.0.0.0/24"]) == [
        {"name": "memcached", "port": 11211, "protocol": "tcp", "sources": ["10.0.0.0/24"]}
    ]
