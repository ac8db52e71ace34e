"""What role baseline asks of a host, and what it makes of the answer."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import pwd
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rendering import Role

ROLE = Role("baseline")
SURVEY = ROLE.path / "files" / "survey.py"
FOUND: dict[str, Any] = {
    "session": {"ssh": True, "user": "deploy", "port": 22, "groups": ["deploy"], "keys": ["AAAAdeploy"]},
    "sshd": {"installed": True, "reads_drop_ins": True, "has_other_key_sources": False},
    "zone_is_known": True,
    "time_daemons": [],
    "firewalls": [],
    "swaps": [],
    "free_mb": 8000,
    "swap_file_exists": False,
    "has_timezone_file": False,
    "has_ruleset": True,
    "firewall_is_ours": True,
    "firewall_is_live": True,
    "locale_file": "/etc/locale.conf",
}
PROBLEMS = "{{ __baseline_inputs | lemp.stack.baseline_problems(__baseline_survey) }}"


@pytest.fixture(name="survey", scope="module")
def survey_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("baseline_survey", SURVEY)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_survey_is_written_for_the_oldest_python() -> None:
    ast.parse(SURVEY.read_text(), feature_version=(3, 9))


def test_defaults_have_no_problems() -> None:
    assert ROLE.evaluate(PROBLEMS, __baseline_survey=FOUND) == []


@pytest.mark.parametrize(
    ("inputs", "found", "name"),
    [
        ({"baseline_admins": [{"name": "a", "keys": []}]}, {}, "baseline_admins"),
        ({"baseline_firewall_enabled": True}, {"firewalls": ["ufw"]}, "baseline_firewall_enabled"),
        ({"baseline_firewall_ssh_sources": ["nowhere"]}, {}, "baseline_firewall_ssh_sources"),
        ({"baseline_rollback_seconds": 5}, {}, "baseline_rollback_seconds"),
        ({"baseline_sshd_allow_groups": ["sudo"]}, {}, "baseline_sshd_allow_groups (sudo)"),
        ({"baseline_sshd_allow_users": ["anna"]}, {}, "baseline_sshd_allow_users (anna)"),
        (
            {"baseline_sshd_password_authentication": False},
            {"session": {**FOUND["session"], "keys": []}},
            "baseline_sshd_password_authentication",
        ),
        (
            {"baseline_sshd_permit_root_login": "no"},
            {"session": {**FOUND["session"], "user": "root"}},
            "baseline_sshd_permit_root_login",
        ),
        ({"baseline_sshd_ports": [2222]}, {}, "baseline_sshd_ports"),
        ({"baseline_swap_size_mb": 99999, "baseline_swap_file": "/big"}, {}, "MiB free for /big"),
        ({"baseline_timezone": "Nowhere"}, {"zone_is_known": False}, 'baseline_timezone is "Nowhere"'),
        ({"baseline_updates_reboot_time": "25:00"}, {}, "baseline_updates_reboot_time"),
        ({"baseline_time_sync_enabled": True}, {"time_daemons": ["chronyd"]}, "baseline_time_sync_enabled"),
    ],
)
def test_every_input_that_can_be_wrong_is_handed_over(inputs: dict[str, Any], found: dict[str, Any], name: str) -> None:
    [problem] = ROLE.evaluate(PROBLEMS, __baseline_survey={**FOUND, **found}, **inputs)
    assert name in problem


def test_a_container_makes_no_swap_and_keeps_no_clock() -> None:
    inputs = {"baseline_container": True, "baseline_swap_size_mb": 99999}
    assert ROLE.evaluate(PROBLEMS, __baseline_survey={**FOUND, "time_daemons": ["chronyd"]}, **inputs) == []
    units = ROLE.evaluate("{{ __baseline_units | map(attribute='name') }}", __baseline_survey=FOUND, **inputs)
    assert "systemd-timesyncd.service" not in units
    assert ROLE.evaluate("{{ __baseline_survey_request.parameters }}", **inputs) == {}
    assert ROLE.evaluate("{{ __baseline_survey_request.parameters['vm.swappiness'] }}") == 10


@pytest.mark.parametrize(("ours", "live"), [(False, False), (True, False), (False, True)])
def test_the_firewall_is_started_by_nobody_but_the_guard_before_it_is_there(ours: bool, live: bool) -> None:
    expression = "{{ __baseline_units | map(attribute='name') }}"
    found = {**FOUND, "firewall_is_ours": ours, "firewall_is_live": live}
    assert "nftables.service" not in ROLE.evaluate(expression, __baseline_survey=found)
    assert "nftables.service" in ROLE.evaluate(expression, __baseline_survey=FOUND)
    assert "nftables.service" not in ROLE.evaluate(expression, __baseline_survey=FOUND, baseline_firewall_enabled=False)


@pytest.mark.parametrize(
    ("changed", "live", "due"),
    [
        ([], True, {"sshd": False, "firewall": False}),
        ([], False, {"sshd": False, "firewall": True}),
        (["/etc/ssh/sshd_config.d/00-lemp.conf"], True, {"sshd": True, "firewall": False}),
        (["/etc/nftables.d"], True, {"sshd": False, "firewall": True}),
        (["/etc/nftables.conf"], True, {"sshd": False, "firewall": True}),
        (["transaction:sshd"], True, {"sshd": True, "firewall": False}),
    ],
)
def test_what_changed_decides_which_guard_is_due(changed: list[str], live: bool, due: dict[str, bool]) -> None:
    found = {**FOUND, "firewall_is_live": live}
    for name, expected in due.items():
        variables = {"__baseline_survey": found, "__baseline_compared": {"changed_files": changed}}
        guard = "{{ __baseline_guard_" + name + " }}"
        assert ROLE.evaluate("{{ __baseline_guard_is_due }}", __baseline_guard=guard, **variables) is expected


def test_nothing_is_due_where_nothing_was_compared() -> None:
    guard = "{{ __baseline_guard_sshd }}"
    assert ROLE.evaluate("{{ __baseline_guard_is_due }}", __baseline_guard=guard, __baseline_survey=FOUND) is False


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("vm.swappiness", "/proc/sys/vm/swappiness"),
        ("net/ipv4/conf/eth0.100/rp_filter", "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"),
        ("net.ipv4.conf.eth0/100.rp_filter", "/proc/sys/net/ipv4/conf/eth0.100/rp_filter"),
    ],
)
def test_parameters_are_looked_for_where_sysctl_does(survey: ModuleType, name: str, path: str) -> None:
    assert survey.parameter_path(name) == path


@pytest.mark.parametrize(
    ("name", "value", "is_off"),
    [
        ("a", 1, False),
        ("a", "1", False),
        ("a", 2, True),
        ("b", "4 4 1 7", False),
        ("missing", 1, True),
        ("net.ipv6.missing", 1, False),
        ("write_only", 1, False),
    ],
)
def test_parameters_are_compared_as_the_kernel_shows_them(
    survey: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: Any, is_off: bool
) -> None:
    (tmp_path / "a").write_text("1\n")
    (tmp_path / "b").write_text("4\t4\t1\t7\n")
    (tmp_path / "write_only").touch(0o200)
    monkeypatch.setattr(survey, "parameter_path", lambda name: str(tmp_path / name))
    assert survey.is_off(name, value) is is_off


HASH = "$6$salt$hash"
WANTED = {
    "name": "anna",
    "state": "present",
    "shell": "/bin/bash",
    "keys": ["x AAAA1 a", "x AAAA2 b"],
    "password_sha256": hashlib.sha256(HASH.encode()).hexdigest(),
}


@pytest.fixture(name="home")
def home_of_anna(survey: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An account that is as it should be."""
    file = tmp_path / ".ssh" / "authorized_keys"
    file.parent.mkdir(mode=0o700)
    file.write_text("x AAAA2 b\nx AAAA1 a\n")
    file.chmod(0o600)
    account = pwd.struct_passwd(("anna", "x", tmp_path.stat().st_uid, 1000, "", str(tmp_path), "/bin/bash"))
    monkeypatch.setattr(survey.pwd, "getpwnam", {"anna": account}.__getitem__)
    real = survey.content
    shadow = f"root:*:1:\nanna:{HASH}:20000:0:99999:7:::\n"
    monkeypatch.setattr(survey, "content", lambda path: shadow if path == "/etc/shadow" else real(path))
    return tmp_path


def test_an_account_as_it_should_be_is_left_alone(survey: ModuleType, home: Path) -> None:
    assert survey.is_due(WANTED) is False
    assert survey.is_due({**WANTED, "password_sha256": None}) is False


@pytest.mark.parametrize(
    "change", [{"state": "absent"}, {"shell": "/bin/sh"}, {"keys": ["x AAAA1 a"]}, {"keys": []}, {"password_sha256": "0" * 64}]
)
def test_an_account_that_differs_is_due(survey: ModuleType, home: Path, change: dict[str, Any]) -> None:
    assert survey.is_due({**WANTED, **change}) is True


def test_an_account_that_is_not_there_is_due_unless_it_shall_be_gone(survey: ModuleType, home: Path) -> None:
    assert survey.is_due({**WANTED, "name": "otto"}) is True
    assert survey.is_due({**WANTED, "name": "otto", "state": "absent"}) is False


def test_keys_that_others_may_change_are_due(survey: ModuleType, home: Path) -> None:
    (home / ".ssh" / "authorized_keys").chmod(0o644)
    assert survey.is_due(WANTED) is True
    (home / ".ssh" / "authorized_keys").chmod(0o600)
    (home / ".ssh").chmod(0o755)
    assert survey.is_due(WANTED) is True


def test_the_c_librarys_spelling_of_a_locale_is_known(survey: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "output", lambda *argv: "C\nC.utf8\nde_DE.utf8\nPOSIX\n")
    assert survey.has_locale("de_DE.UTF-8")
    assert not survey.has_locale("de_AT.UTF-8")
