"""Module ``host_usage``: what it measures with, and how it fails."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.lemp.stack.plugins.module_utils._capacity.files import Malformed
from ansible_collections.lemp.stack.plugins.modules import host_usage


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        host_usage.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize(
    ("arguments", "used"), [({}, (10, 3.0)), ({"samples": 2, "interval_seconds": 0.5, "_ansible_check_mode": True}, (2, 0.5))]
)
def test_it_measures_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: dict[str, Any], used: tuple[int, float]
) -> None:
    monkeypatch.setattr(host_usage._usage, "measure", lambda *given: {"given": given})
    result = run(capsys, **arguments)
    assert (result["changed"], result["usage"]) == (False, {"given": ["/", *used]})


@pytest.mark.parametrize("arguments", [{"samples": 0}, {"interval_seconds": -1}, {"interval_seconds": 3601}])
def test_inputs_out_of_range_are_refused(capsys: pytest.CaptureFixture[str], arguments: dict[str, Any]) -> None:
    assert run(capsys, **arguments)["msg"] == "samples must be at least 1 and interval_seconds from 0 to 3600."


@pytest.mark.parametrize("error", [Malformed("/proc/x makes no sense."), OSError("no /proc")])
def test_what_cannot_be_measured_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail(*_given: Any) -> None:
        raise error

    monkeypatch.setattr(host_usage._usage, "measure", fail)
    assert run(capsys)["msg"] == f"The host could not be measured: {error}"


def test_a_signal_ends_it_in_order(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(host_usage._usage, "measure", lambda *_given: signal.raise_signal(signal.SIGTERM))
    with patch_module_args({}), pytest.raises(SystemExit) as ended:
        host_usage.main()
    assert ended.value.code == 128 + signal.SIGTERM
