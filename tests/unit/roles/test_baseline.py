"""What role baseline asks of a host, and what it makes of the answer."""

from __future__ import annotations

import ast
import configparser
import hashlib
import importlib.util
import pwd
import re
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
from rendering import PLATFORMS, Role

ROLE = Role("baseline")
SURVEY = ROLE.path / "files" / "survey.py"
FOUND: dict[str, Any] = {
    "session": {"ssh": True, "user": "deploy", "port": 22, "groups": ["deploy"], "keys": ["AAAAdeploy"]},
    "sshd": {
        "installed": True,
        "reads_drop_ins": True,
        "has_other_key_sources": False,
        "kex": ["curve25519-sha256"],
        "is_started_by_socket": False,
    },
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
    "board": {
        "is_raspberry_pi": False,
        "root_is_on_sd_card": False,
        "has_memory_cgroup": True,
        "has_watchdog": False,
        "has_wifi": False,
        "boot_file": "/boot/firmware/cmdline.txt",
        "boot_arguments": "",
        "boot_mode": "0755",
    },
}
PI = {
    "is_raspberry_pi": True,
    "root_is_on_sd_card": True,
    "has_memory_cgroup": False,
    "has_watchdog": True,
    "has_wifi": True,
    "boot_file": "/boot/firmware/cmdline.txt",
    "boot_arguments": "console=tty1 rootwait\n",
    "boot_mode": "0755",
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
        (
            {"baseline_updates_excluded_packages": ["redis-server$"], "ansible_facts": PLATFORMS["Rocky 9"]},
            {},
            "baseline_updates_excluded_packages: redis-server$",
        ),
        ({"baseline_watchdog_seconds": 1}, {}, "baseline_watchdog_seconds"),
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


@pytest.mark.parametrize("platform", PLATFORMS)
def test_defaults_have_no_problems_anywhere(platform: str) -> None:
    assert ROLE.evaluate(PROBLEMS, __baseline_survey=FOUND, ansible_facts=PLATFORMS[platform]) == []


def names(expression: str, key: str, **overrides: Any) -> list[str]:
    values = {"__baseline_survey": FOUND, **overrides}
    return ROLE.evaluate("{{ " + expression + " | map(attribute='" + key + "') | list }}", **values)


def test_each_family_has_its_files_and_units() -> None:
    facts = PLATFORMS["Rocky 9"]
    assert names("__baseline_files", "dest", ansible_facts=facts) == [
        "/etc/locale.conf",
        "/etc/sudoers.d/lemp-admins",
        "/etc/systemd/journald.conf.d/60-lemp.conf",
        "/etc/sysctl.d/60-lemp.conf",
        "/etc/dnf/automatic.conf",
    ]
    assert names("__baseline_units", "name", ansible_facts=facts) == [
        "sshd.service", "crond.service", "systemd-journald.service", "dnf-automatic.timer", "chronyd.service",
        "firewalld.service",
    ]  # fmt: skip
    assert sorted(names("__baseline_files", "dest")) == [
        "/etc/apt/apt.conf.d/52lemp-unattended-upgrades",
        "/etc/locale.conf",
        "/etc/needrestart/conf.d/lemp.conf",
        "/etc/sudoers.d/lemp-admins",
        "/etc/sysctl.d/60-lemp.conf",
        "/etc/systemd/journald.conf.d/60-lemp.conf",
        "/etc/systemd/timesyncd.conf.d/60-lemp.conf",
    ]


def test_updates_that_are_off_are_off_in_the_file_too() -> None:
    overrides = {"baseline_updates_enabled": False, "ansible_facts": PLATFORMS["Rocky 9"]}
    assert "/etc/dnf/automatic.conf" in names("__baseline_files", "dest", **overrides)
    assert "dnf-automatic.timer" not in names("__baseline_units", "name", **overrides)
    text = ROLE.render("etc/dnf/automatic.conf", **overrides)
    assert "apply_updates = no\n" in text
    assert "download_updates = no\n" in text


def test_dnf_leaves_databases_alone_and_reboots_if_it_may() -> None:
    facts = PLATFORMS["Rocky 9"]
    text = ROLE.render("etc/dnf/automatic.conf", ansible_facts=facts)
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    assert parser["commands"]["upgrade_type"] == "security"
    assert parser["commands"]["apply_updates"] == "yes"
    assert parser["commands"]["reboot"] == "never"
    assert parser["base"]["excludepkgs"] == "mariadb*-server, postgresql*-server, redis, valkey"
    text = ROLE.render(
        "etc/dnf/automatic.conf", ansible_facts=facts, baseline_updates_reboot=True, baseline_updates_excluded_packages=[]
    )
    assert "reboot = when-needed\nreboot_command = shutdown -r 04:00\n" in text
    assert "excludepkgs" not in text


@pytest.mark.parametrize(
    ("platform", "pi", "origins"),
    [
        ("Debian 13", False, ["origin=Debian,codename=${distro_codename}-security,label=Debian-Security"]),
        (
            "Debian 13",
            True,
            [
                "origin=Debian,codename=${distro_codename}-security,label=Debian-Security",
                "origin=Raspberry Pi Foundation,codename=${distro_codename}",
            ],
        ),
        (
            "Ubuntu 24",
            False,
            [
                "origin=Ubuntu,archive=${distro_codename}",
                "origin=Ubuntu,archive=${distro_codename}-security",
                "origin=UbuntuESMApps,archive=${distro_codename}-apps-security",
                "origin=UbuntuESM,archive=${distro_codename}-infra-security",
            ],
        ),
    ],
)
def test_updates_come_from_the_origins_of_the_host(platform: str, pi: bool, origins: list[str]) -> None:
    overrides = {"__baseline_survey": {**FOUND, "board": PI if pi else FOUND["board"]}, "ansible_facts": PLATFORMS[platform]}
    text = ROLE.render("etc/apt/apt.conf.d/52lemp-unattended-upgrades", **overrides)
    assert [line.strip(' ";') for line in text.splitlines() if "origin=" in line] == origins


def test_packages_follow_language_selinux_and_what_stands_in_for_another() -> None:
    facts = {
        **PLATFORMS["Rocky 9"],
        "selinux": {"status": "enabled"},
        "packages": {"curl-minimal": [], "sudo": [], "tzdata": []},
    }
    overrides = {"ansible_facts": facts, "baseline_locale": "de_DE.UTF-8", "baseline_sshd_ports": [22, 2222]}
    missing = ROLE.evaluate("{{ __baseline_missing }}", __baseline_survey=FOUND, **overrides)
    assert {"glibc-langpack-de", "policycoreutils-python-utils", "firewalld", "chrony", "dnf-automatic"} <= set(missing)
    assert not {"curl", "sudo", "tzdata"} & set(missing)
    assert ROLE.evaluate("{{ __baseline_labelled_ports }}", **overrides) == ["2222"]
    plain = ROLE.evaluate("{{ __baseline_missing }}", __baseline_survey=FOUND, ansible_facts=PLATFORMS["Rocky 9"])
    assert "curl" in plain
    assert "policycoreutils-python-utils" not in plain
    assert not [name for name in plain if name.startswith("glibc")]


def test_a_socket_that_listens_for_sshd_is_started_anew() -> None:
    found = {**FOUND, "sshd": {**FOUND["sshd"], "is_started_by_socket": True}}
    assert names("__baseline_units", "name", __baseline_survey=found)[0] == "ssh.socket"
    guard = ROLE.evaluate("{{ __baseline_guard_sshd }}", __baseline_survey=found)
    assert guard["apply"].endswith("systemctl start ssh.socket")
    assert [file["dest"] for file in guard["files"]] == ["/etc/ssh/sshd_config.d/00-lemp.conf"]
    guard = ROLE.evaluate("{{ __baseline_guard_sshd }}", __baseline_survey=FOUND)
    assert guard["apply"] == "systemctl reload-or-restart ssh.service"
    assert guard["validators"] == [["/usr/sbin/sshd", "-t"]]


def test_chrony_keeps_its_file_unless_servers_are_named() -> None:
    facts = PLATFORMS["Rocky 9"]
    assert "/etc/chrony.conf" not in names("__baseline_files", "dest", ansible_facts=facts)
    overrides = {"ansible_facts": facts, "baseline_ntp_servers": ["ntp1.example.org", "192.0.2.1"]}
    assert "/etc/chrony.conf" in names("__baseline_files", "dest", **overrides)
    assert "chronyd" in str(ROLE.evaluate("{{ __baseline_validators }}", **overrides))
    text = ROLE.render("etc/chrony.conf", **overrides)
    assert re.findall(r"(?m)^server .*$", text) == ["server ntp1.example.org iburst", "server 192.0.2.1 iburst"]
    assert "pool" not in text


# firewalld


def policy(template: str, **overrides: Any) -> ElementTree.Element:
    values = {"__baseline_survey": FOUND, "ansible_facts": PLATFORMS["Rocky 9"], **overrides}
    return ElementTree.fromstring(ROLE.render(f"etc/firewalld/policies/{template}.xml", **values).encode())


def rules(root: ElementTree.Element) -> list[tuple[str | None, ...]]:
    found: list[tuple[str | None, ...]] = [(None, port.get("port"), port.get("protocol")) for port in root.findall("port")]
    for rule in root.findall("rule"):
        source, port = rule.find("source"), rule.find("port")
        assert rule.find("accept") is not None
        if source is not None and port is not None:
            assert rule.get("family") == ("ipv6" if ":" in str(source.get("address")) else "ipv4")
            found.append((source.get("address"), port.get("port"), port.get("protocol")))
    return found


def test_firewalld_accepts_ssh_and_what_the_internet_protocols_need_and_drops_the_rest() -> None:
    root = policy("lemp", baseline_sshd_ports=[22, 2222])
    assert root.attrib == {"target": "DROP", "priority": "-100"}
    assert [zone.get("name") for zone in (*root.findall("ingress-zone"), *root.findall("egress-zone"))] == ["ANY", "HOST"]
    assert rules(root) == [(None, "22", "tcp"), (None, "2222", "tcp")]
    assert [service.get("name") for service in root.findall("service")] == ["dhcpv6-client"]
    assert [kind.get("name") for kind in root.findall("rule/icmp-type")] == [
        "destination-unreachable", "time-exceeded", "parameter-problem", "echo-request",
    ]  # fmt: skip
    assert [value.get("value") for value in root.findall("rule/protocol")] == ["ipv6-icmp"]


def test_firewalld_takes_sources_of_both_families() -> None:
    root = policy("lemp", baseline_firewall_ssh_sources=["192.0.2.0/24", "2001:db8::/32"])
    assert rules(root) == [("192.0.2.0/24", "22", "tcp"), ("2001:db8::/32", "22", "tcp")]


def test_a_tiers_policy_comes_before_the_one_that_drops() -> None:
    tier = [
        {"name": "open to all -- really-", "port": "443", "protocol": "tcp"},
        {"name": "nobody", "port": 80, "protocol": "tcp", "sources": None},
        {"name": "open to one", "port": 53, "protocol": "udp", "sources": ["192.0.2.1"]},
    ]
    root = policy("lemp-tier", baseline_firewall_name="web", baseline_firewall_rules=tier)
    assert root.attrib == {"target": "CONTINUE", "priority": "-200"}
    assert rules(root) == [(None, "443", "tcp"), (None, "80", "tcp"), ("192.0.2.1", "53", "udp")]
    assert rules(policy("lemp-tier", baseline_firewall_name="web", baseline_firewall_rules=[])) == []


def test_the_guard_and_the_tier_follow_the_firewall_of_the_family() -> None:
    overrides = {"__baseline_survey": FOUND, "ansible_facts": PLATFORMS["Rocky 9"], "baseline_firewall_name": "web"}
    guard = ROLE.evaluate("{{ __baseline_guard_firewall }}", **overrides)
    tier = ROLE.evaluate("{{ __baseline_guard_tier }}", **overrides)
    assert guard["files"][0]["dest"] == "/etc/firewalld/policies/lemp.xml"
    assert tier["files"][0]["dest"] == "/etc/firewalld/policies/lemp-web.xml"
    assert guard["trees"] == tier["trees"] == ["/etc/firewalld/policies"]
    assert guard["validators"] == tier["validators"] == [["firewall-offline-cmd", "--check-config"]]
    bare = {**overrides, "__baseline_survey": {**FOUND, "firewall_is_ours": False}}
    assert ROLE.evaluate("{{ __baseline_guard_tier }}", **bare)["trees"] == []
    for command in (guard["save"], guard["apply"], guard["restore"], tier["apply"]):
        assert subprocess.run(["sh", "-n", "-c", command], check=False).returncode == 0


# Raspberry Pi


@pytest.mark.parametrize(
    ("wanted", "is_sd_card", "storage"),
    [
        ("auto", False, "persistent"),
        ("auto", True, "volatile"),
        ("persistent", True, "persistent"),
        ("volatile", False, "volatile"),
    ],
)
def test_the_journal_spares_an_sd_card(wanted: str, is_sd_card: bool, storage: str) -> None:
    found = {**FOUND, "board": {**PI, "root_is_on_sd_card": is_sd_card}}
    text = ROLE.render("etc/systemd/journald.conf.d/60-lemp.conf", baseline_journald_storage=wanted, __baseline_survey=found)
    assert f"Storage={storage}\n" in text


def test_a_board_has_a_watchdog_and_wifi_that_does_not_sleep() -> None:
    found = {**FOUND, "board": PI}
    files = names("__baseline_files", "dest", __baseline_survey=found)
    assert "/etc/systemd/system.conf.d/90-lemp.conf" in files
    assert "/etc/NetworkManager/conf.d/lemp-wifi.conf" in files
    assert "NetworkManager.service" in names("__baseline_units", "name", __baseline_survey=found)
    assert ROLE.evaluate("{{ __baseline_boot_arguments }}", __baseline_survey=found) == (
        "console=tty1 rootwait cgroup_enable=memory\n"
    )
    files = names("__baseline_files", "dest", __baseline_survey=found, baseline_container=True, baseline_wifi_power_save=True)
    assert not [file for file in files if "90-lemp" in file or "wifi" in file]
    assert "RuntimeWatchdogSec=0\n" in ROLE.render("etc/systemd/system.conf.d/90-lemp.conf", baseline_watchdog_seconds=0)


@pytest.mark.parametrize(
    ("device", "kind", "expected"),
    [
        ("mmcblk0/mmcblk0p2", "SD\n", True),
        ("mmcblk0/mmcblk0p2", "MMC\n", False),
        ("mmcblk0", "SD\n", True),
        ("sda/sda1", "", False),
    ],
)
def test_an_sd_card_is_told_from_what_is_soldered_on(
    survey: ModuleType, monkeypatch: pytest.MonkeyPatch, device: str, kind: str, expected: bool
) -> None:
    disk = f"/sys/devices/platform/soc/mmc_host/mmc0/mmc0:aaaa/block/{device.split('/')[0]}"
    monkeypatch.setattr(
        survey.os.path, "realpath", lambda path: f"/sys/devices/platform/soc/mmc_host/mmc0/mmc0:aaaa/block/{device}"
    )
    monkeypatch.setattr(survey, "content", {f"{disk}/device/type": kind}.get)
    assert survey.is_sd_card(0xB302) is expected


def test_a_disk_of_no_device_is_no_sd_card(survey: ModuleType) -> None:
    assert survey.is_sd_card(0) is False


@pytest.mark.parametrize(
    ("controllers", "groups", "expected"),
    [
        ("cpuset cpu io memory pids\n", "", True),
        ("cpuset cpu io pids\n", "memory\t0\t95\t0\n", False),
        ("", "cpu\t1\t9\t1\nmemory\t8\t88\t1\n", True),
        ("", "", False),
    ],
)
def test_memory_groups_of_both_versions_are_seen(
    survey: ModuleType, monkeypatch: pytest.MonkeyPatch, controllers: str, groups: str, expected: bool
) -> None:
    files = {"/sys/fs/cgroup/cgroup.controllers": controllers, "/proc/cgroups": groups}
    monkeypatch.setattr(survey, "content", files.__getitem__)
    assert survey.has_memory_cgroup() is expected


@pytest.mark.parametrize(
    ("issue", "model", "expected"),
    [
        (True, "Raspberry Pi 5 Model B Rev 1.0\0", True),
        (False, "Raspberry Pi 5 Model B Rev 1.0\0", False),
        (True, "Pine64\0", False),
        (True, "", False),
    ],
)
def test_a_raspberry_pi_is_known_by_its_system_and_its_board(
    survey: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, issue: bool, model: str, expected: bool
) -> None:
    boot = tmp_path / "cmdline.txt"
    boot.write_text("rootwait\n")
    boot.chmod(0o755)
    monkeypatch.setattr(survey, "BOOT_FILE", str(boot))
    real, exists = survey.content, survey.os.path.exists
    monkeypatch.setattr(survey, "content", lambda path: model if path.endswith("base/model") else real(path))
    monkeypatch.setattr(survey.os.path, "exists", lambda path: issue if path == "/etc/rpi-issue" else exists(path))
    found = survey.board()
    assert found["is_raspberry_pi"] is expected
    assert found["boot_arguments"] == ("rootwait\n" if expected else "")
    assert found["boot_mode"] == "0755"


def test_only_managers_that_do_not_belong_to_the_platform_are_looked_for(
    survey: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "output", lambda *argv: "active\n" if argv[-1] in ("firewalld", "nftables") else None)
    monkeypatch.setattr(survey, "content", lambda path: "ENABLED=yes\n")
    assert survey.firewalls(["firewalld", "ufw"]) == ["firewalld", "ufw"]
    assert survey.firewalls(["iptables", "ip6tables", "nftables"]) == ["nftables"]


@pytest.mark.parametrize(
    ("generator", "active", "expected"), [(True, "active\n", True), (True, None, False), (False, "active\n", False)]
)
def test_a_socket_counts_only_with_the_generator_that_reads_the_ports(
    survey: ModuleType, monkeypatch: pytest.MonkeyPatch, generator: bool, active: str | None, expected: bool
) -> None:
    monkeypatch.setattr(survey.os.path, "exists", lambda path: generator)
    monkeypatch.setattr(survey, "output", lambda *argv: active)
    assert survey.is_started_by_socket() is expected


def test_every_firewall_of_the_table_is_known_to_the_survey(survey: ModuleType) -> None:
    rows = ROLE.variables()["__baseline_platforms"].values()
    assert {row["firewall"] for row in rows if "firewall" in row} == set(survey.FIREWALLS)


def test_fragments_are_read_by_name_and_only_where_they_are_ours_alone(
    survey: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("lemp.xml", "lemp-web.xml", "lemp-db.xml", "lemp-db.xml.old"):
        (tmp_path / name).write_text(name)
        (tmp_path / name).chmod(0o644)
    (tmp_path / "lemp-db.xml").chmod(0o664)
    if (tmp_path / "lemp-web.xml").stat().st_uid != 0:
        pytest.skip("only root's files count")
    assert survey.fragments(str(tmp_path / "lemp-*.xml")) == {str(tmp_path / "lemp-web.xml"): "lemp-web.xml"}
