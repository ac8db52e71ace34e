"""Module ``host_capacity``: when it remembers, what it says it changed, and how it fails."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.lemp.stack.plugins.module_utils._capacity.files import Malformed
from ansible_collections.lemp.stack.plugins.modules import host_capacity

MIB = 2**20
KEPT = {"total_bytes": 1000 * MIB, "planned_bytes": 990 * MIB}


class Host:
    """Stands for the host: a measurement, what was remembered before, and what is remembered now."""

    def __init__(self) -> None:
        self.memory: dict[str, Any] = {"total_bytes": 1000 * MIB, "limit_bytes": None}
        self.before: Any = None
        self.kept: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.directories: list[str] = []

    def measure(self, _root: str, directories: list[str]) -> dict[str, Any]:
        if self.error:
            raise self.error
        self.directories = directories
        return {"memory": dict(self.memory)}

    def recall(self, _root: str) -> Any:
        return self.before

    def remember(self, _root: str, memory: dict[str, Any]) -> None:
        self.kept.append({key: memory[key] for key in KEPT})


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Host:
    desk = Host()
    for name in ("measure", "recall", "remember"):
        monkeypatch.setattr(host_capacity.host, name, getattr(desk, name))
    return desk


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        host_capacity.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_nothing_is_remembered_unless_asked(desk: Host, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys)
    assert (result["changed"], desk.kept) == (False, [])
    assert result["ansible_facts"]["lemp_capacity"]["memory"]["planned_bytes"] == 990 * MIB


def test_the_first_measurement_is_remembered(desk: Host, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, remember=True)["changed"] is True
    assert desk.kept == [KEPT]


def test_check_mode_plans_the_same_keeps_nothing_and_reports_no_change(desk: Host, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, remember=True, _ansible_check_mode=True)
    assert (result["changed"], desk.kept) == (False, [])
    assert result["ansible_facts"]["lemp_capacity"]["memory"]["planned_bytes"] == 990 * MIB


def test_a_total_that_hardly_differs_changes_nothing(desk: Host, capsys: pytest.CaptureFixture[str]) -> None:
    desk.before = KEPT
    # The first total stays remembered: one that followed every boot could wander off in small steps.
    desk.memory["total_bytes"] = 995 * MIB
    result = run(capsys, remember=True)
    assert (result["changed"], desk.kept) == (False, [])
    assert result["ansible_facts"]["lemp_capacity"]["memory"]["planned_bytes"] == 990 * MIB


@pytest.mark.parametrize(
    "before",
    [
        {"total_bytes": 2000 * MIB, "planned_bytes": 1980 * MIB},
        # The right plan, but with a total that protects it from nothing.
        {"total_bytes": "much", "planned_bytes": 990 * MIB},
        "nonsense",
        {},
    ],
)
def test_another_total_or_a_broken_memory_is_remembered_anew(
    desk: Host, capsys: pytest.CaptureFixture[str], before: Any
) -> None:
    desk.before = before
    assert run(capsys, remember=True)["changed"] is True
    assert desk.kept == [KEPT]


def test_where_a_group_sets_the_limit_nothing_is_remembered(desk: Host, capsys: pytest.CaptureFixture[str]) -> None:
    desk.memory["limit_bytes"] = 512 * MIB
    result = run(capsys, remember=True)
    assert (result["changed"], desk.kept) == (False, [])
    assert result["ansible_facts"]["lemp_capacity"]["memory"]["planned_bytes"] == 512 * MIB


def test_other_directories_can_be_measured(desk: Host, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, data_directories=["/srv"])
    assert desk.directories == ["/srv"]


@pytest.mark.parametrize("error", [Malformed("/x contains 'y', which is no number."), PermissionError(13, "no", "/x")])
def test_a_failure_is_told_in_a_sentence_that_names_the_file(
    desk: Host, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    desk.error = error
    result = run(capsys)
    assert result["failed"] is True
    assert result["msg"].startswith("The host could not be measured: ")
    assert "/x" in result["msg"]
