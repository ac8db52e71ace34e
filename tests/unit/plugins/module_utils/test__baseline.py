"""What would lock somebody out of a host, or could not be set up there."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._baseline import accounts, boot_arguments, firewall_problems, problems

KEY = "ssh-ed25519 AAAAanna anna@laptop"
SESSION = {"ssh": True, "user": "deploy", "port": 22, "groups": ["deploy", "adm"], "keys": ["AAAAdeploy"]}
SURVEY: dict[str, Any] = {
    "session": SESSION,
    "sshd": {"installed": True, "reads_drop_ins": True, "has_other_key_sources": False},
    "zone_is_known": True,
    "time_daemons": [],
    "firewalls": [],
    "free_mb": 8000,
    "swap_file_exists": False,
}
ROOT_SESSION = {"session": {**SESSION, "user": "root"}}
NO_KEYS = {"session": {**SESSION, "keys": []}}


def test_a_usual_host_has_no_problems() -> None:
    inputs = {
        "baseline_admins": [{"name": "anna", "keys": [KEY], "sudo": "passwordless"}, {"name": "gone", "state": "absent"}],
        "baseline_sshd_ports": ["22", 2222],
        "baseline_firewall_ssh_sources": ["192.0.2.0/24", "2001:db8::/32", "198.51.100.7"],
        "baseline_rollback_seconds": "60",
        "baseline_swap_size_mb": "2048",
        "baseline_updates_reboot_time": "23:59",
        "has_time_sync": True,
        "makes_swap": True,
    }
    assert problems(inputs, SURVEY) == []


def test_nothing_at_all_has_no_problems() -> None:
    assert problems({}, {}) == []


@pytest.mark.parametrize(
    ("inputs", "survey", "sentence"),
    [
        ({"baseline_sshd_ports": 22}, {}, "baseline_sshd_ports is 22, which is no list; write it as one."),
        ({"baseline_sshd_allow_users": "anna"}, {}, "baseline_sshd_allow_users is anna, which is no list"),
        ({"baseline_admins": [{"name": "a", "keys": [KEY]}] * 2}, {}, "baseline_admins: a is there more than once"),
        ({"baseline_admins": [{"name": "a"}]}, {}, "a has 0 keys and sudo none; give at least one public key"),
        ({"baseline_admins": [{"name": "a", "keys": ["x"]}]}, {}, "a has 1 keys"),
        ({"baseline_admins": [{"name": "a", "keys": [KEY], "sudo": "password"}]}, {}, "and a password hash for sudo password"),
        ({"baseline_sshd_ports": []}, {}, "baseline_sshd_ports is empty; give at least one port"),
        ({"baseline_sshd_ports": [22, "22"]}, {}, "baseline_sshd_ports is 22, 22; give at least one port"),
        ({"baseline_sshd_ports": [22, 65536]}, {}, "baseline_sshd_ports is 22, 65536"),
        ({"baseline_sshd_ports": [22, "ssh"]}, {}, "baseline_sshd_ports is 22, ssh"),
        ({"baseline_sshd_ports": [2222]}, {}, "baseline_sshd_ports is 2222, but Ansible is connected to port 22; add it"),
        ({"baseline_sshd_allow_users": ["anna"]}, {}, "shut out deploy, whom Ansible connects as"),
        ({"baseline_sshd_allow_groups": ["sudo"]}, {}, "add the user or one of the groups deploy, adm."),
        ({"baseline_sshd_permit_root_login": "no"}, ROOT_SESSION, 'permit_root_login is "no", but Ansible connects as root'),
        ({}, NO_KEYS, "deploy, whom Ansible connects as, has no key on the host"),
        ({"baseline_sshd_password_authentication": "false"}, NO_KEYS, "has no key on the host"),
        ({"baseline_admins": [{"name": "deploy", "state": "absent"}]}, {}, "deploy, whom Ansible connects as, would lose"),
        ({"baseline_admins": [{"name": "deploy", "keys": ["x AAAAdeploy"]}]}, {}, "would lose its account, its sudo"),
        (
            {"baseline_admins": [{"name": "deploy", "keys": [KEY], "sudo": "passwordless"}]},
            {},
            "or all of its present keys; keep state present, sudo",
        ),
        ({}, {"sshd": {**SURVEY["sshd"], "reads_drop_ins": False}}, "/etc/ssh/sshd_config does not read drop-ins; add"),
        ({"baseline_timezone": "Europe/Berln"}, {"zone_is_known": False}, 'baseline_timezone is "Europe/Berln"'),
        ({"has_time_sync": True}, {"time_daemons": ["chronyd"]}, "is true, but chronyd is installed; remove it"),
        ({}, {"firewalls": ["ufw"]}, "baseline_firewall_enabled is true, but ufw is switched on"),
        ({"baseline_firewall_ssh_sources": ["192.0.2.300"]}, {}, "192.0.2.300 is neither an address nor a network"),
        ({"baseline_firewall_ssh_sources": ["192.0.2.0/255.255.255.0"]}, {}, "is neither an address nor a network"),
        ({"baseline_firewall_ssh_sources": ["fe80::1%eth0"]}, {}, "is neither an address nor a network"),
        ({"baseline_rollback_seconds": "19"}, {}, "baseline_rollback_seconds is 19, in which"),
        ({"baseline_updates_reboot_time": "24:00"}, {}, 'baseline_updates_reboot_time is "24:00"'),
        (
            {"updates": "dnf-automatic", "baseline_updates_excluded_packages": ["redis", "redis-server$", "a b"]},
            {},
            "baseline_updates_excluded_packages: redis-server$, a b is no shell pattern of a package's name",
        ),
        ({"baseline_watchdog_seconds": 4}, {}, "baseline_watchdog_seconds is 4, which resets"),
        ({"baseline_watchdog_seconds": "601"}, {}, "baseline_watchdog_seconds is 601"),
        ({"baseline_watchdog_seconds": -1}, {}, "baseline_watchdog_seconds is -1"),
        ({"baseline_watchdog_seconds": "soon"}, {}, "baseline_watchdog_seconds is soon"),
        ({"baseline_updates_excluded_packages": "redis"}, {}, "baseline_updates_excluded_packages is redis, which is no list"),
        ({"makes_swap": True, "baseline_swap_size_mb": 6977}, {}, "is 6977, but of the 8000 MiB free for /swapfile"),
    ],
)
def test_what_cannot_be_is_one_sentence_with_its_remedy(inputs: dict[str, Any], survey: dict[str, Any], sentence: str) -> None:
    found = problems(inputs, {**SURVEY, **survey})
    assert len(found) == 1
    assert sentence in found[0]


@pytest.mark.parametrize(
    ("inputs", "survey"),
    [
        ({"baseline_sshd_ports": [2222]}, {"session": {**SESSION, "ssh": False}}),
        ({"baseline_sshd_allow_users": ["deploy@192.0.2.1"]}, {}),
        ({"baseline_sshd_allow_users": ["dep*"]}, {}),
        ({"baseline_sshd_allow_groups": ["adm", "sudo"]}, {}),
        ({"baseline_sshd_permit_root_login": "no"}, {}),
        ({"baseline_sshd_password_authentication": "yes"}, NO_KEYS),
        ({}, {**NO_KEYS, "sshd": {**SURVEY["sshd"], "has_other_key_sources": True}}),
        ({"baseline_admins": [{"name": "deploy", "keys": [KEY], "sudo": "passwordless"}]}, NO_KEYS),
        ({"baseline_admins": [{"name": "root", "keys": ["x AAAAdeploy"]}]}, ROOT_SESSION),
        ({}, {"sshd": {"installed": False, "reads_drop_ins": False, "has_other_key_sources": False}}),
        ({"has_time_sync": False}, {"time_daemons": ["chronyd"]}),
        ({"baseline_firewall_enabled": False}, {"firewalls": ["ufw"]}),
        ({"makes_swap": False, "baseline_swap_size_mb": 99999}, {}),
        ({"baseline_updates_excluded_packages": ["redis-server$"]}, {}),
        ({"updates": "dnf-automatic", "baseline_updates_excluded_packages": ["mariadb*-server", "libstdc++", "a[0-9]?"]}, {}),
        ({"baseline_watchdog_seconds": "0"}, {}),
        ({"baseline_watchdog_seconds": "15"}, {}),
        ({"makes_swap": True, "baseline_swap_size_mb": 99999}, {"swap_file_exists": True}),
        ({"makes_swap": True, "baseline_swap_size_mb": 6976}, {}),
    ],
)
def test_what_looks_alike_and_is_fine_is_let_through(inputs: dict[str, Any], survey: dict[str, Any]) -> None:
    assert problems(inputs, {**SURVEY, **survey}) == []


def test_no_sentence_shows_a_password() -> None:
    admins = [{"name": "deploy", "password": "hush", "sudo": "password", "keys": []}] * 2
    found = problems({"baseline_admins": admins}, SURVEY)
    assert found
    assert "hush" not in str(found)


RULE = {"name": "https", "port": "443", "protocol": "tcp"}


def test_a_rule_that_can_be_is_let_through() -> None:
    rules = [RULE, {**RULE, "sources": None}, {**RULE, "sources": ["192.0.2.1", "2001:db8::/32"]}]
    assert firewall_problems("web", rules, True) == []


@pytest.mark.parametrize("name", ["Web", "../web", "", None])
def test_a_name_that_cannot_be_a_files_is_refused(name: Any) -> None:
    assert "which cannot be part of a file's name" in firewall_problems(name, [], True)[0]


@pytest.mark.parametrize(
    "change",
    [{"port": 0}, {"port": "http"}, {"port": 65536}, {"name": 'a" accept'}, {"name": "a" * 65}, {"sources": ["example.org"]}],
)
def test_a_rule_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    [sentence] = firewall_problems("web", [{**RULE, **change}], True)
    assert sentence.startswith('baseline_firewall_rules: "')
    assert "is no rule" in sentence


def test_a_host_without_the_ruleset_is_refused_except_in_check_mode() -> None:
    assert "run the role itself before" in firewall_problems("web", [RULE], False)[0]
    assert firewall_problems("web", [RULE], False, check_mode=True) == []


def test_firewalld_takes_short_names_only_and_has_a_ruleset_of_its_own() -> None:
    assert firewall_problems("a" * 12, [RULE], True, provider="firewalld") == []
    assert "too long for firewalld; use at most 12" in firewall_problems("a" * 13, [RULE], True, provider="firewalld")[0]
    assert firewall_problems("a" * 13, [RULE], True) == []
    assert "/etc/firewalld/policies/lemp.xml is not that of" in firewall_problems("web", [], False, provider="firewalld")[0]


def test_an_account_is_completed_and_its_password_kept() -> None:
    admins = [{"name": "anna", "password": "$6$salt$hash", "keys": ["x AAAA2 a\nx AAAA1 b\n", "x AAAA1 b"]}]
    [account] = accounts(admins)
    assert account == {
        "name": "anna",
        "state": "present",
        "shell": "/bin/bash",
        "keys": ["x AAAA1 b", "x AAAA2 a"],
        "password_sha256": "d722f0abfd853428937eca95ec5c7c6fb589a9aef596fbd89aee20f0fc2cafd4",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("\n", "\n"),
        ("a=b", "a=b cgroup_enable=memory"),
        ("a=b  quiet \nignored\n", "a=b  quiet cgroup_enable=memory\nignored\n"),
        ("a=b\r\n", "a=b cgroup_enable=memory\n"),
        ("cgroup_enable=memory a=b\n", "cgroup_enable=memory a=b\n"),
        ("cgroup_enable=cpuset a=b\n", "cgroup_enable=cpuset a=b cgroup_enable=memory\n"),
        ("cgroup_disable=memory cgroup_enable=memory\n", "cgroup_disable=memory cgroup_enable=memory\n"),
        ("cgroup_enable=memory cgroup_disable=memory\n", "cgroup_enable=memory cgroup_disable=memory cgroup_enable=memory\n"),
    ],
)
def test_the_last_word_on_memory_groups_counts_and_all_others_stay(text: str, expected: str) -> None:
    assert boot_arguments(text) == expected
    assert boot_arguments(expected) == expected
