"""Inputs of role memcached."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._memcached import is_local, problems

USER = {"name": "shop", "password": "shop-Secret-1"}


@pytest.mark.parametrize(
    ("inputs", "memory_mb", "sentence"),
    [
        ({"memcached_listen": "everywhere"}, 0, "memcached_listen is everywhere, which is no address; write socket or"),
        ({"memcached_listen": "10.0.0.5"}, 0, "memcached_listen is 10.0.0.5, where everybody could read and write; name"),
        ({"memcached_port": 0}, 0, "memcached_port is 0; write one from 1 to 65535."),
        ({"memcached_max_item_size_mb": 0}, 0, "memcached_max_item_size_mb is 0; write one from 1 to 1024."),
        ({"memcached_max_item_size_mb": 33}, 64, "memcached_max_item_size_mb is 33, but an item may be half"),
        ({"memcached_users": [USER, USER]}, 0, "memcached_users: two are named shop; keep one."),
        ({"memcached_users": [{"name": "", "password": "x"}]}, 0, "memcached_users: name is , which cannot be"),
        ({"memcached_users": [{"name": "a", "password": "x\ny"}]}, 0, "memcached_users: the password of a is empty or has"),
    ],
)
def test_what_cannot_be_is_named_with_its_remedy(inputs: dict[str, Any], memory_mb: int, sentence: str) -> None:
    (found,) = problems(inputs, memory_mb)
    assert sentence in found
    assert "Secret" not in found


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"memcached_listen": "::1"},
        {"memcached_listen": "10.0.0.5", "memcached_users": [USER]},
        {"memcached_listen": "10.0.0.5", "memcached_firewall_sources": ["10.0.0.0/24"]},
        {"memcached_max_item_size_mb": "32"},
    ],
)
def test_good_inputs_have_no_problem(inputs: dict[str, Any]) -> None:
    assert problems(inputs, 64) == []


@pytest.mark.parametrize(("listen", "expected"), [("socket", True), ("127.0.0.2", True), ("10.0.0.1", False), ("x", False)])
def test_where_others_are_kept_out(listen: str, expected: bool) -> None:
    assert is_local(listen) is expected
