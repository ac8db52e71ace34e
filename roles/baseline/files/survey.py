"""Print, as JSON, what the role has to know of a host before it changes anything.

Argument: JSON with zone, swap_file, directories and units. Runs on Python 3.9, with the standard library only.
"""

import grp
import json
import os
import pwd
import re
import shutil
import subprocess
import sys


def output(*argv):
    """What a command prints, or None where it is missing or fails."""
    try:
        result = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout if result.returncode == 0 else None


def content(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def session():
    """The ssh session that this process came through.

    It stands in the environment of a parent process; sudo keeps it from its children. Port and user are those the host
    sees, which differ from Ansible's own behind a port forwarding.
    """
    found = {"ssh": False, "user": None, "port": None, "client": None, "groups": [], "keys": []}
    pid = os.getpid()
    while pid > 1:
        environment = dict(item.split("=", 1) for item in content(f"/proc/{pid}/environ").split("\0") if "=" in item)
        connection = environment.get("SSH_CONNECTION", "").split()
        if len(connection) == 4:
            found.update(ssh=True, user=environment.get("USER"), client=connection[0], port=int(connection[3]))
        try:
            pid = int(content(f"/proc/{pid}/stat").rpartition(")")[2].split()[1])
        except (IndexError, ValueError):
            break
    try:
        account = pwd.getpwnam(found["user"] or "")
    except KeyError:
        return found
    found["groups"] = [grp.getgrgid(gid).gr_name for gid in os.getgrouplist(account.pw_name, account.pw_gid)]
    for name in ("authorized_keys", "authorized_keys2"):
        lines = content(os.path.join(account.pw_dir, ".ssh", name)).splitlines()
        found["keys"] += [key for line in lines if not line.startswith("#") for key in re.findall(r"AAAA\S+", line)]
    return found


def sshd():
    config = content("/etc/ssh/sshd_config")
    effective = dict(line.split(" ", 1) for line in (output("/usr/sbin/sshd", "-T") or "").splitlines() if " " in line)
    return {
        "installed": os.path.exists("/usr/sbin/sshd"),
        "reads_drop_ins": bool(re.search(r"(?mi)^\s*Include\s+\S*sshd_config\.d/\*\.conf", config)),
        # Keys that do not lie in the user's own file cannot be judged from here.
        "has_other_key_sources": any(
            effective.get(name, "none") != "none" for name in ("authorizedkeyscommand", "trustedusercakeys")
        ),
        "kex": (output("ssh", "-Q", "kex") or "").split(),
    }


def units(names):
    """Those of the units that run now and start at boot."""
    ready = []
    properties = ("--property=Id", "--property=ActiveState", "--property=UnitFileState")
    for block in (output("systemctl", "show", *properties, *names) or "").split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if unit.get("ActiveState") == "active" and unit.get("UnitFileState") == "enabled":
            ready.append(unit["Id"])
    return ready


def firewalls():
    """Other managers of the firewall that are switched on."""
    found = ["firewalld"] if output("systemctl", "is-active", "firewalld") else []
    # ufw.service counts as active also where ufw is switched off.
    return found + (["ufw"] if re.search(r"(?m)^ENABLED=yes", content("/etc/ufw/ufw.conf")) else [])


def survey(wanted):
    zones = "/usr/share/zoneinfo"
    space = os.statvfs(os.path.dirname(wanted["swap_file"]))
    sbin = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return {
        "session": session(),
        "sshd": sshd(),
        "zone_is_known": not os.path.isdir(zones) or os.path.isfile(os.path.join(zones, wanted["zone"])),
        "timezone_file": content("/etc/timezone").strip(),
        "time_daemons": [name for name in ("chronyd", "ntpd", "openntpd") if shutil.which(name, path=sbin)],
        "firewalls": firewalls(),
        "firewall_is_ours": "table inet lemp" in content("/etc/nftables.conf"),
        "firewall_is_live": output("nft", "list", "table", "inet", "lemp") is not None,
        "swaps": [line.split()[0] for line in content("/proc/swaps").splitlines()[1:]],
        "swap_file_exists": os.path.exists(wanted["swap_file"]),
        "free_mb": space.f_bavail * space.f_frsize // 2**20,
        "missing_directories": [path for path in wanted["directories"] if not os.path.isdir(path)],
        "ready_units": units(wanted["units"]),
    }


if __name__ == "__main__":
    print(json.dumps(survey(json.loads(sys.argv[1]))))
