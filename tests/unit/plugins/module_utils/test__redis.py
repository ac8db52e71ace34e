"""Instances of Redis on a host: inputs, users, files and units, and what running servers say."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import make_plan
from ansible_collections.lemp.stack.plugins.module_utils._redis import acl_lines, drift, firewall_rules, host, problems, sha256

LAYOUT = {"user": "redis", "data_dir": "/var/lib/redis", "binary": "/usr/bin/redis-server"}
SHOP = {"name": "shop", "password": "shop-Secret-1", "key_prefix": "shop:"}
BLOG = {"name": "blog", "password": "blog-Secret-1", "key_prefix": "blog:"}
CACHE = {"name": "cache", "users": [SHOP, BLOG]}
QUEUE = {"name": "queue", "use": "queue", "port": 6380, "users": [SHOP]}


def on_host(*instances: dict[str, Any], **given: Any) -> dict[str, Any]:
    plan = make_plan({"memtotal_mb": 4096, "processor_nproc": 2}, {"redis": {"instances": list(instances)}})
    return host(instances, **{"plan": plan, "layout": LAYOUT, "version": "7.0", "admin_hash": "a" * 64, **given})


# Inputs


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"redis_instances": [{"name": "Shop-1"}]}, "redis_instances: name is Shop-1, but must be 1 to 31 lower-case letters"),
        ({"redis_instances": [{"name": "a"}, {"name": "a"}]}, "redis_instances: two are named a; give each a name of its own."),
        (
            {"redis_instances": [{"name": "a", "use": "store"}]},
            "redis_instances: instance a has use store; write one of cache, session, queue.",
        ),
        (
            {"redis_instances": [{"name": "a", "port": 6379}, {"name": "b", "port": "6379"}]},
            "redis_instances: two have port 6379; give each a port of its own, or 0.",
        ),
        ({"redis_instances": [{"name": "a", "port": 70000}]}, "instance a has port 70000; write one from 1 to 65535"),
        (
            {"redis_instances": [{"name": "a", "users": [SHOP, {**SHOP, "password": "other", "key_prefix": "x:"}]}]},
            "redis_instances: instance a has two users named shop; give each a name of its own.",
        ),
        ({"redis_tls": {"certificate": "/a.pem"}}, "redis_tls names a certificate or a key alone"),
        ({"redis_extra_settings": {"maxmemory": "1gb"}}, "redis_extra_settings has maxmemory, which the role sets itself"),
        ({"redis_extra_settings": {"a": "b\nuser x"}}, "redis_extra_settings has 'a', which is no setting in one line"),
    ],
)
def test_what_cannot_be_is_named_with_its_remedy(inputs: dict[str, Any], sentence: str) -> None:
    (found,) = problems(inputs)
    assert sentence in found
    assert "Secret" not in found


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "root"}, "this name cannot be; use letters"),
        ({"name": "a b"}, "this name cannot be; use letters"),
        ({"password": ""}, "password is empty; give one."),
        ({"key_prefix": "*"}, "key_prefix is '*'; use 1 to 64 letters"),
        ({"key_prefix": ""}, "key_prefix is ''; use"),
        ({"key_prefix": "a b"}, "key_prefix is 'a b'; use"),
        ({"extra_commands": ["config|get"]}, "extra_commands has 'config|get', which is no command that a user may have"),
        ({"extra_commands": ["@all"]}, "extra_commands has '@all', which is no command"),
    ],
)
def test_users_that_cannot_be_are_named(changes: dict[str, Any], sentence: str) -> None:
    (found,) = problems({"redis_instances": [{"name": "cache", "users": [{**SHOP, **changes}]}]})
    assert sentence in found
    assert "Secret" not in found


def test_a_prefix_that_begins_anothers_keys_is_refused() -> None:
    users = [{**SHOP, "key_prefix": "shop"}, {**BLOG, "key_prefix": "shop2:"}]
    assert problems({"redis_instances": [{"name": "cache", "users": users}]}) == [
        "redis_instances: instance cache: key_prefix shop of user shop is also where blog's keys begin; end it with a sign of "
        "its own, such as shop:."
    ]


def test_good_inputs_have_no_problem() -> None:
    users = [{**SHOP, "extra_commands": ["scan", "memory|usage"]}, BLOG]
    assert problems({"redis_instances": [{"name": "cache", "users": users}, QUEUE], "redis_extra_settings": {"hz": 20}}) == []
    assert problems({}) == []


# Users


def test_an_acl_file_has_hashes_and_nobody_without_a_name() -> None:
    default, admin, shop = acl_lines([SHOP], "a" * 64, (7, 0))
    assert default == "user default off"
    assert admin == f"user root on #{'a' * 64} ~* &* +@all"
    assert shop.startswith(f"user shop on #{sha256('shop-Secret-1')} ~shop:* resetchannels &shop:* +@all -@admin -@dangerous ")


@pytest.mark.parametrize(
    ("version", "has_channels", "has_functions", "has_setinfo"),
    [((6, 0), False, False, False), ((6, 2), True, False, False), ((7, 0), True, True, False), ((8, 1), True, True, True)],
)
def test_no_server_is_given_a_rule_that_it_does_not_know(
    version: tuple[int, int], has_channels: bool, has_functions: bool, has_setinfo: bool
) -> None:
    text = "\n".join(acl_lines([SHOP], "a" * 64, version))
    assert ("&" in text, "-function" in text, "client|setinfo" in text) == (has_channels, has_functions, has_setinfo)


def test_further_commands_come_after_what_is_taken() -> None:
    line = acl_lines([{**SHOP, "extra_commands": ["scan"]}], "a" * 64, (7, 0))[-1]
    assert line.index("-scan") < line.index(" +scan")


# Files and units


def test_each_instance_has_its_unit_its_files_and_its_data() -> None:
    found = on_host(CACHE, QUEUE)
    files = {file["dest"]: file for file in found["files"]}
    assert {path for path in files if path.startswith("/etc/lemp-redis")} == {
        f"/etc/lemp-redis/{name}.{suffix}" for name in ("cache", "queue") for suffix in ("acl", "conf")
    }
    assert files["/etc/lemp-redis/cache.acl"]["sensitive"]
    assert "Secret" not in files["/etc/lemp-redis/cache.acl"]["content"]
    assert {unit["name"]: unit["listen"] for unit in found["units"]} == {
        "lemp-redis@cache.service": ["/run/lemp-redis-cache/redis.sock"],
        "lemp-redis@queue.service": ["/run/lemp-redis-queue/redis.sock", "6380"],
    }
    assert [directory["path"] for directory in found["directories"]] == [
        "/etc/lemp-redis",
        "/var/lib/redis/cache",
        "/var/lib/redis/queue",
    ]


def test_values_are_the_plans_and_persistence_follows_the_use() -> None:
    cache, queue = on_host({**CACHE, "maxmemory_mb": 64}, QUEUE)["instances"]
    assert cache["values"] == {
        "maxmemory": str(64 * 2**20),
        "maxmemory-policy": "allkeys-lru",
        "maxclients": "64",
        "tcp-backlog": "511",
        "appendonly": "no",
        "port": "0",
    }
    assert (queue["values"]["appendonly"], queue["values"]["port"]) == ("yes", "6380")
    assert on_host({**CACHE, "persistent": True})["instances"][0]["values"]["appendonly"] == "yes"
    assert on_host({**QUEUE, "persistent": False})["instances"][0]["values"]["appendonly"] == "no"


def test_users_change_by_a_reload_and_everything_else_by_a_restart() -> None:
    (unit,) = on_host(CACHE)["units"]
    assert unit["reload_on"] == ["/etc/lemp-redis/cache.acl"]
    assert unit["restart_on"][0] == "/etc/lemp-redis/cache.conf"


def test_an_instance_that_is_no_longer_listed_is_stopped() -> None:
    found = on_host(CACHE, existing=["cache", "session"])
    assert found["removed"] == ["session"]
    stopped = found["units"][0]
    assert (stopped["name"], stopped["running"]) == ("lemp-redis@session.service", False)
    assert stopped["stop_on"] == ["/etc/lemp-redis/session.conf"]
    assert "/etc/systemd/system/lemp-redis@session.service.d/lemp-*.conf" in found["owned"]


def test_without_instances_there_is_nothing_to_judge() -> None:
    found = host(
        [],
        plan=make_plan({"memtotal_mb": 4096, "processor_nproc": 2}, {"redis": {}}),
        layout=LAYOUT,
        version="7.0",
        existing=["cache"],
    )
    assert (found["validators"], [unit["name"] for unit in found["units"]]) == ([], ["lemp-redis@cache.service"])


def test_a_port_speaks_tls_where_there_is_a_certificate() -> None:
    cache, queue = on_host(CACHE, QUEUE, tls={"certificate": "/c", "key": "/k"}, bind_address="0.0.0.0")["instances"]
    assert queue["tls"] == {"certificate": "/c", "key": "/k"}
    assert queue["values"]["tls-port"] == "6380"
    assert "port" not in queue["values"]
    assert cache["tls"] == {}


# What running servers say


def said(found: dict[str, Any], **changes: Any) -> str:
    """What the instances would answer if they ran as configured."""
    lines = []
    acls = {file["dest"]: file["content"] for file in found["files"] if "content" in file}
    for instance in found["instances"]:
        lines.append(f"@ {instance['name']}")
        for name, value in {**instance["values"], **changes.get("values", {}), "save": ""}.items():
            lines += [name, value]
        lines.append(f"@before {instance['name']}")
        text = acls[f"/etc/lemp-redis/{instance['name']}.acl"]
        # As the server repeats it: with flags of its own, and users without rights in full.
        text = text.replace("user default off", "user default off sanitize-payload resetchannels -@all")
        lines += re.sub(r" on #", " on sanitize-payload #", text).splitlines()[::-1]
    return "\n".join(lines)


def test_a_server_that_runs_as_configured_has_no_drift() -> None:
    found = on_host(CACHE, QUEUE)
    assert drift(said(found), found, "7.0") == {"values": [], "users": [], "silent": []}


def test_other_values_are_named() -> None:
    found = on_host(CACHE)
    changed = said(found, values={"maxmemory": "1"})
    planned = found["instances"][0]["values"]["maxmemory"]
    assert drift(changed, found, "7.0")["values"] == [f"cache: maxmemory is 1, planned {planned}"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("user shop on", "user shop off"),
        ("~shop:*", "~shop:* ~blog:*"),
        ("&shop:*", "&*"),
        (f"#{sha256('shop-Secret-1')}", f"#{'b' * 64}"),
        ("user blog", "user intruder on nopass ~* +@all\nuser blog"),
    ],
)
def test_other_users_and_rights_are_seen(old: str, new: str) -> None:
    found = on_host(CACHE)
    text = said(found)
    assert old in text
    assert drift(text.replace(old, new, 1), found, "7.0")["users"] == ["cache"]


def test_rules_of_commands_are_compared_with_what_the_server_itself_says_of_the_file() -> None:
    found = on_host(CACHE)
    text = said(found).replace("-@dangerous", "-keys -flushdb")
    assert drift(text, found, "7.0")["users"] == []
    after = text.partition("@before cache\n")[2]
    assert drift(f"{text}\n@after cache\n{after}", found, "7.0")["users"] == []
    before = text.replace("-keys", "+keys")
    assert drift(f"{before}\n@after cache\n{after}", found, "7.0")["users"] == ["cache"]


def test_a_server_that_says_nothing_or_fails_is_silent() -> None:
    found = on_host(CACHE, QUEUE)
    assert drift("@ cache\nNOAUTH Authentication required.\n\n@before cache\n", found, "7.0")["silent"] == ["cache", "queue"]
    assert drift(f"{said(found)}\n@failed cache", found, "7.0")["silent"] == ["cache"]


def test_a_firewall_rule_for_each_port() -> None:
    assert firewall_rules([CACHE, QUEUE], ["10.0.0.0/24"]) == [
        {"name": "redis-queue", "port": 6380, "protocol": "tcp", "sources": ["10.0.0.0/24"]}
    ]
