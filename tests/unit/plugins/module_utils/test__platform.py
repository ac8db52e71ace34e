"""``_platform``: which rows hold for a host, and in which order."""

from __future__ import annotations

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._platform import platform_row

ROWS = {
    "Debian": {"service": "ssh", "socket": None, "php": "8.2"},
    "Debian 13": {"php": "8.4"},
    "Ubuntu": {"php": "8.1"},
    "Ubuntu 24": {"socket": "ssh.socket", "php": "8.3"},
    "RedHat": {"service": "sshd", "socket": None, "php": ""},
}


def facts(family: str, distribution: str, major: str) -> dict[str, str]:
    return {"os_family": family, "distribution": distribution, "distribution_major_version": major}


@pytest.mark.parametrize(
    ("host", "row"),
    [
        (("Debian", "Debian", "12"), {"service": "ssh", "socket": None, "php": "8.2"}),
        (("Debian", "Debian", "13"), {"service": "ssh", "socket": None, "php": "8.4"}),
        (("Debian", "Ubuntu", "22"), {"service": "ssh", "socket": None, "php": "8.1"}),
        (("Debian", "Ubuntu", "24"), {"service": "ssh", "socket": "ssh.socket", "php": "8.3"}),
        (("RedHat", "Rocky", "10"), {"service": "sshd", "socket": None, "php": ""}),
    ],
)
def test_specific_rows_win(host: tuple[str, str, str], row: dict[str, object]) -> None:
    assert platform_row(facts(*host), ROWS) == row


def test_a_family_is_enough() -> None:
    assert platform_row({"os_family": "RedHat"}, ROWS)["service"] == "sshd"


def test_a_platform_without_a_row_is_named_with_those_that_have_one() -> None:
    with pytest.raises(ValueError, match=r"this host is Alpine 3 of the family Alpine.* Debian, RedHat, Ubuntu, or take"):
        platform_row(facts("Alpine", "Alpine", "3"), ROWS)


def test_facts_that_were_not_gathered_are_said() -> None:
    with pytest.raises(ValueError, match="let the play gather facts"):
        platform_row({}, ROWS)
