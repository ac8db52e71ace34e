"""Module ``slow_queries``: what it hands on, and how it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.lemp.stack.plugins.module_utils._slow_common import Wanted
from ansible_collections.lemp.stack.plugins.modules import slow_queries


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        slow_queries.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize("check_mode", [False, True])
def test_it_asks_with_what_was_given_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], check_mode: bool
) -> None:
    asked: list[Wanted] = []
    monkeypatch.setattr(slow_queries._slow_servers, "servers", lambda wanted: asked.append(wanted) or ["found"])
    result = run(capsys, limit=3, since_hours=0, log_mb=2, timeout_seconds=7, show_values=True, _ansible_check_mode=check_mode)
    assert (result["changed"], result["servers"]) == (False, ["found"])
    assert asked == [Wanted(limit=3, since=0.0, most=2 * 2**20, timeout=7, values=True)]


def test_by_default_values_are_not_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[Wanted] = []
    monkeypatch.setattr(slow_queries._slow_servers, "servers", lambda wanted: asked.append(wanted) or [])
    run(capsys)
    assert (asked[0].values, asked[0].limit) == (False, 10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"limit": 0}, "limit is 0, but must be from 1 to 1000."),
        ({"since_hours": -1}, "since_hours is -1.0, but must be from 0 to 87600."),
        ({"log_mb": 5000}, "log_mb is 5000, but must be from 1 to 4096."),
        ({"timeout_seconds": 0}, "timeout_seconds is 0, but must be from 1 to 600."),
    ],
)
def test_inputs_out_of_range_are_refused(capsys: pytest.CaptureFixture[str], arguments: dict[str, Any], message: str) -> None:
    assert run(capsys, **arguments)["msg"] == message
