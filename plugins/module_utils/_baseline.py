# GNU General Public License v3.0+ (see LICENSE)
"""What would lock somebody out of a host, or could not be set up there. Pure functions."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# What the role's own defaults say, for callers that ask about some inputs only.
_DEFAULTS: dict[str, Any] = {
    "baseline_admins": [],
    "baseline_firewall_enabled": True,
    "baseline_firewall_ssh_sources": [],
    "baseline_rollback_seconds": 60,
    "baseline_sshd_allow_groups": [],
    "baseline_sshd_allow_users": [],
    "baseline_sshd_password_authentication": False,
    "baseline_sshd_permit_root_login": "prohibit-password",
    "baseline_sshd_ports": [22],
    "baseline_swap_file": "/swapfile",
    "baseline_swap_size_mb": 0,
    "baseline_timezone": "Etc/UTC",
    "baseline_updates_excluded_packages": [],
    "baseline_updates_reboot_time": "04:00",
    "baseline_watchdog_seconds": 0,
    "has_time_sync": False,
    "makes_swap": False,
    "updates": "unattended-upgrades",
}
_SURVEY: dict[str, Any] = {
    "session": {"ssh": False, "user": None, "port": None, "groups": [], "keys": []},
    "sshd": {"installed": False, "reads_drop_ins": True, "has_other_key_sources": False},
    "zone_is_known": True,
    "time_daemons": [],
    "firewalls": [],
    "free_mb": 0,
    "swap_file_exists": False,
}

_KEY = re.compile(r"AAAA\S+")
_TRUE = {"1", "on", "t", "true", "y", "yes"}
_TIER = re.compile(r"[a-z0-9][a-z0-9_-]*")
_RULE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
# The role's own ruleset, and the longest name of a tier: a policy's has at most 17 characters (firewalld.policy(5)), "lemp-"
# among them.
_PROVIDERS = {"nftables": ("/etc/nftables.conf", 200), "firewalld": ("/etc/firewalld/policies/lemp.xml", 12)}
_NETWORK = re.compile(r"[0-9A-Fa-f:.]+(/[0-9]{1,3})?")
_PACKAGES = re.compile(r"[A-Za-z0-9._+*?\[\]!-]+")
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")


def problems(inputs: Mapping[str, Any], survey: Mapping[str, Any]) -> list[str]:
    """Why the role cannot do on this host what its inputs ask for, most fundamental first; empty where it can.

    :param inputs: the role's inputs by name, whether it keeps the clock (``has_time_sync``), whether it would make the swap
        file (``makes_swap``), and what installs updates (``updates``).
    :param survey: what the role's ``files/survey.py`` found on the host.
    """
    given = {**_DEFAULTS, **inputs}
    found = {**_SURVEY, **survey}
    lists = [name for name, default in _DEFAULTS.items() if isinstance(default, list)]
    bad = [
        f"{name} is {given[name]}, which is no list; write it as one."
        for name in lists
        if not isinstance(given[name], (list, tuple))
    ]
    return bad or [
        *_admins(given),
        *_ports(given, found["session"]),
        *_shut_out(given, found["session"], found["sshd"]),
        *_host(given, found),
        *_values(given, found),
    ]


def firewall_problems(
    name: Any, rules: Iterable[Mapping[str, Any]], is_ours: bool, check_mode: bool = False, provider: str = "nftables"
) -> list[str]:
    """Why the ports of one tier cannot be opened; empty where they can.

    :param name: name of the tier, part of a file's name.
    :param rules: rules, each with ``name``, ``port``, ``protocol`` and perhaps ``sources``.
    :param is_ours: whether the ruleset on the host is the role's.
    :param check_mode: whether a ruleset that is not there yet would be there in earnest.
    :param provider: what filters packets, ``nftables`` or ``firewalld``.
    """
    found = []
    ruleset, longest = _PROVIDERS[provider]
    if not _TIER.fullmatch(str(name)):
        found.append(
            f'baseline_firewall_name is "{name}", which cannot be part of a file\'s name; use lower-case letters, digits, - '
            "and _."
        )
    elif len(str(name)) > longest:
        found.append(f'baseline_firewall_name is "{name}", which is too long for {provider}; use at most {longest} characters.')
    for rule in rules:
        sources = rule.get("sources") or []
        good = _RULE.fullmatch(str(rule.get("name"))) and 0 < _number(rule.get("port")) < 65536
        if not good or _bad_networks(sources):
            found.append(
                f'baseline_firewall_rules: "{rule.get("name")}" (port {rule.get("port")}, sources {_join(sources) or "all"}) '
                "is no rule; a name has at most 64 letters, digits, blanks and ._-, a port lies between 1 and 65535, a source "
                "is an address or a network."
            )
    if not (is_ours or check_mode):
        found.append(
            f"baseline_firewall_name {name}: {ruleset} is not that of lemp.stack.baseline; run the role itself before "
            "its entry point firewall."
        )
    return found


def boot_arguments(text: str, wanted: str = "cgroup_enable=memory") -> str:
    """The kernel's arguments of a Raspberry Pi with control groups for memory, everything else as it was.

    Its kernel has them, and its device tree disables them. Arguments are taken in their order, those of this file behind those
    of the device tree, so that nothing else is needed: https://github.com/raspberrypi/linux/issues/6980

    :param text: content of ``cmdline.txt``, of which the first line counts; stays empty where it is.
    """
    line = text.split("\n", 1)[0]
    said = [word for word in line.split() if word in (wanted, wanted.replace("enable", "disable"))]
    if not line.strip() or (said and said[-1] == wanted):
        return text
    return text.replace(line, f"{line.rstrip()} {wanted}", 1)


def accounts(admins: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the survey of a host compares accounts with.

    A password's hash is handed over as a digest only: it is long and salted, so nobody gets back to it from there, and the
    arguments of a process can be read by everybody on the host.

    :param admins: items of ``baseline_admins``.
    """
    return [
        {
            "name": admin["name"],
            "state": admin.get("state") or "present",
            "shell": admin.get("shell") or "/bin/bash",
            "keys": sorted({line.strip() for key in admin.get("keys") or [] for line in key.splitlines() if line.strip()}),
            "password_sha256": hashlib.sha256(admin["password"].encode()).hexdigest() if admin.get("password") else None,
        }
        for admin in admins
    ]


def _admins(given: Mapping[str, Any]) -> Iterator[str]:
    names = [admin["name"] for admin in given["baseline_admins"]]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        yield f"baseline_admins: {_join(twice)} is there more than once; merge the entries."
    for admin in given["baseline_admins"]:
        if admin.get("state") == "absent":
            continue
        keys, sudo = admin.get("keys") or [], admin.get("sudo") or "none"
        if not keys or not all(_KEY.search(key) for key in keys) or (sudo == "password" and not admin.get("password")):
            yield (
                f"baseline_admins: {admin['name']} has {len(keys)} keys and sudo {sudo}; give at least one public key as from "
                "ssh-keygen, and a password hash for sudo password."
            )


def _ports(given: Mapping[str, Any], session: Mapping[str, Any]) -> Iterator[str]:
    ports = [_number(port) for port in given["baseline_sshd_ports"]]
    shown = _join(given["baseline_sshd_ports"])
    if not ports or len(set(ports)) < len(ports) or not all(0 < port < 65536 for port in ports):
        yield f"baseline_sshd_ports is {shown or 'empty'}; give at least one port between 1 and 65535 and none twice."
    elif session["ssh"] and session["port"] not in ports:
        yield (
            f"baseline_sshd_ports is {shown}, but Ansible is connected to port {session['port']}; add it, and drop it only "
            "after ansible_port has been changed."
        )


def _shut_out(given: Mapping[str, Any], session: Mapping[str, Any], sshd: Mapping[str, Any]) -> Iterator[str]:
    """What would shut out the user whom Ansible connects as."""
    if not session["ssh"]:
        return
    user = session["user"]
    users = [re.sub(r"@.*", "", str(pattern)) for pattern in given["baseline_sshd_allow_users"]]
    groups = given["baseline_sshd_allow_groups"]
    if not (_lets_in(users, [user]) and _lets_in(groups, session["groups"])):
        yield (
            f"baseline_sshd_allow_users ({_join(given['baseline_sshd_allow_users']) or 'all'}) and baseline_sshd_allow_groups "
            f"({_join(groups) or 'all'}) shut out {user}, whom Ansible connects as; add the user or one of the groups "
            f"{_join(session['groups'])}."
        )
    if user == "root" and given["baseline_sshd_permit_root_login"] != "prohibit-password":
        yield (
            f'baseline_sshd_permit_root_login is "{given["baseline_sshd_permit_root_login"]}", but Ansible connects as root; '
            "connect as a user of baseline_admins first, or use prohibit-password."
        )
    own: Mapping[str, Any] = next((admin for admin in given["baseline_admins"] if admin["name"] == user), {})
    new_keys = {match for key in own.get("keys") or [] for match in _KEY.findall(key)}
    takes_passwords = _is_true(given["baseline_sshd_password_authentication"])
    if not (takes_passwords or sshd["has_other_key_sources"] or session["keys"] or new_keys):
        yield (
            f"baseline_sshd_password_authentication is false, but {user}, whom Ansible connects as, has no key on the host; "
            "install one, add the user to baseline_admins, or set it to true."
        )
    loses = own and (
        own.get("state") == "absent"
        or (user != "root" and (own.get("sudo") or "none") == "none")
        or (session["keys"] and not new_keys & set(session["keys"]))
    )
    if loses:
        yield (
            f"baseline_admins: {user}, whom Ansible connects as, would lose its account, its sudo or all of its present keys; "
            "keep state present, sudo, and one key that is already on the host."
        )


def _lets_in(patterns: Iterable[str], names: Iterable[str]) -> bool:
    """Whether a list of sshd lets one of these in; patterns with wildcards are left to sshd and the guard."""
    patterns = [str(pattern) for pattern in patterns]
    return not patterns or bool(set(patterns) & set(names)) or any(re.search(r"[*?!]", pattern) for pattern in patterns)


def _host(given: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """What is on the host and does not go with the role."""
    if found["sshd"]["installed"] and not found["sshd"]["reads_drop_ins"]:
        yield (
            'baseline_sshd_*: /etc/ssh/sshd_config does not read drop-ins; add "Include /etc/ssh/sshd_config.d/*.conf" as its '
            "first line."
        )
    if not found["zone_is_known"]:
        yield (
            f'baseline_timezone is "{given["baseline_timezone"]}", which /usr/share/zoneinfo does not have; use a name as '
            'Europe/Berlin from "timedatectl list-timezones".'
        )
    if _is_true(given["has_time_sync"]) and found["time_daemons"]:
        yield (
            f"baseline_time_sync_enabled is true, but {_join(found['time_daemons'])} is installed; remove it, or set "
            "baseline_time_sync_enabled to false to keep it."
        )
    if _is_true(given["baseline_firewall_enabled"]) and found["firewalls"]:
        yield (
            f"baseline_firewall_enabled is true, but {_join(found['firewalls'])} is switched on; switch it off, or set "
            "baseline_firewall_enabled to false to keep it."
        )


def _values(given: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    bad = _bad_networks(given["baseline_firewall_ssh_sources"])
    if bad:
        yield (
            f"baseline_firewall_ssh_sources: {_join(bad)} is neither an address nor a network; write it as 192.0.2.1, "
            "192.0.2.0/24 or 2001:db8::/32."
        )
    if _number(given["baseline_rollback_seconds"]) < 20:
        yield (
            f"baseline_rollback_seconds is {given['baseline_rollback_seconds']}, in which a new connection cannot be proven; "
            "use 20 or more."
        )
    odd = [str(name) for name in given["baseline_updates_excluded_packages"] if not _PACKAGES.fullmatch(str(name))]
    if given["updates"] == "dnf-automatic" and odd:
        yield (
            f"baseline_updates_excluded_packages: {_join(odd)} is no shell pattern of a package's name, as dnf takes it; write "
            "it as redis or postgresql*-server."
        )
    seconds = _number(given["baseline_watchdog_seconds"])
    if str(given["baseline_watchdog_seconds"]) != "0" and not 5 <= seconds <= 600:
        yield (
            f"baseline_watchdog_seconds is {given['baseline_watchdog_seconds']}, which resets a busy board or leaves a dead "
            "one dead; use 5 to 600, or 0 to switch the watchdog off."
        )
    if not _TIME_OF_DAY.fullmatch(str(given["baseline_updates_reboot_time"])):
        yield (
            f'baseline_updates_reboot_time is "{given["baseline_updates_reboot_time"]}", which is no time of day; write it as '
            '"04:00".'
        )
    is_short = _number(given["baseline_swap_size_mb"]) + 1024 > found["free_mb"]
    if _is_true(given["makes_swap"]) and not found["swap_file_exists"] and is_short:
        yield (
            f"baseline_swap_size_mb is {given['baseline_swap_size_mb']}, but of the {found['free_mb']} MiB free for "
            f"{given['baseline_swap_file']} 1024 must stay free; set a smaller size, or 0 for none."
        )


def _bad_networks(sources: Iterable[Any]) -> list[str]:
    return [source for source in map(str, sources) if not _is_network(source)]


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    # Python also knows netmasks and zones, which nft does not.
    return _NETWORK.fullmatch(text) is not None


def _number(value: Any) -> int:
    """A number as templates may give it; 0 for what is none."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _is_true(value: Any) -> bool:
    return str(value).lower() in _TRUE


def _join(values: Iterable[Any]) -> str:
    return ", ".join(str(value) for value in values)
