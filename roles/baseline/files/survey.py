"""Print, as JSON, what the role has to know of a host before it changes anything.

Argument: JSON with zone, locale, locale_file, swap_file, accounts as filter baseline_accounts makes them, and
parameters of the kernel. Runs on Python 3.9, with the standard library only.
"""

import glob
import grp
import hashlib
import json
import os
import pwd
import re
import shutil
import stat
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
    effective = output("/usr/sbin/sshd", "-T") or ""
    return {
        "installed": os.path.exists("/usr/sbin/sshd"),
        "reads_drop_ins": bool(re.search(r"(?mi)^\s*Include\s+\S*sshd_config\.d/\*\.conf", config)),
        "effective": effective,
        # Keys that do not lie in the user's own file cannot be judged from here.
        "has_other_key_sources": bool(re.search(r"(?m)^(authorizedkeyscommand|trustedusercakeys) (?!none$)", effective)),
        "kex": (output("ssh", "-Q", "kex") or "").split(),
    }


def has_locale(name):
    """Whether the locale can be used; the C library writes the charset de_DE.UTF-8 has as utf8."""

    def plain(text):
        return text.replace("-", "").lower()

    return plain(name) in plain(output("locale", "-a") or "").split()


def password_digest(name):
    """Digest of the hash in /etc/shadow, which itself never leaves the host."""
    for line in content("/etc/shadow").splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return hashlib.sha256(fields[1].encode()).hexdigest()
    return None


def has_keys(account, keys):
    """Whether the account's file has these keys and no other line, and is its own."""
    folder = os.path.join(account.pw_dir, ".ssh")
    path = os.path.join(folder, "authorized_keys")
    try:
        attributes = [(status.st_uid, stat.S_IMODE(status.st_mode)) for status in (os.lstat(folder), os.lstat(path))]
    except OSError:
        return False
    lines = {line.strip() for line in content(path).splitlines()} - {""}
    return attributes == [(account.pw_uid, 0o700), (account.pw_uid, 0o600)] and sorted(lines) == keys


def is_due(wanted):
    """Whether an account is not what it should be."""
    try:
        account = pwd.getpwnam(wanted["name"])
    except KeyError:
        return wanted["state"] == "present"
    return (
        wanted["state"] == "absent"
        or account.pw_shell != wanted["shell"]
        or (wanted["password_sha256"] or password_digest(account.pw_name)) != password_digest(account.pw_name)
        or not has_keys(account, wanted["keys"])
    )


def parameter_path(name):
    """Where sysctl looks for a parameter: the separator that comes first in its name is the one of directories."""
    first = re.search(r"[./]", name)
    return "/proc/sys/" + (name.translate(str.maketrans("./", "/.")) if first and first.group() == "." else name)


def is_off(name, value):
    """Whether the kernel has another value than this, or no such parameter; hosts without IPv6 have none of its own."""
    path = parameter_path(name)
    if not os.path.exists(path):
        return not name.startswith("net.ipv6.")
    # Some can be written only.
    return os.stat(path).st_mode & stat.S_IRUSR != 0 and content(path).split() != str(value).split()


def firewalls():
    """Other managers of the firewall that are switched on."""
    found = ["firewalld"] if output("systemctl", "is-active", "firewalld") else []
    # ufw.service counts as active also where ufw is switched off.
    return found + (["ufw"] if re.search(r"(?m)^ENABLED=yes", content("/etc/ufw/ufw.conf")) else [])


def fragments():
    """Firewall rules of tiers by path, where owner and permissions are right and no interrupted change waits to be undone."""
    found = {}
    for path in glob.glob("/etc/nftables.d/lemp-*.nft"):
        status = os.lstat(path)
        name = os.path.basename(path)[len("lemp-") : -len(".nft")]
        interrupted = os.path.exists(f"/var/lib/lemp/config/firewall-{name}/transaction")
        if (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFREG | 0o644, 0, 0) and not interrupted:
            found[path] = content(path)
    return found


def survey(wanted):
    zones = "/usr/share/zoneinfo"
    space = os.statvfs(os.path.dirname(wanted["swap_file"]))
    sbin = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    mounted = [line.split()[:1] for line in content("/etc/fstab").splitlines()]
    return {
        "session": session(),
        "sshd": sshd(),
        "zone_is_known": not os.path.isdir(zones) or os.path.isfile(os.path.join(zones, wanted["zone"])),
        "has_timezone_file": os.path.exists("/etc/timezone"),
        "has_locale": has_locale(wanted["locale"]),
        "locale_file": os.path.realpath(wanted["locale_file"]),
        "time_daemons": [name for name in ("chronyd", "ntpd", "openntpd") if shutil.which(name, path=sbin)],
        "firewalls": firewalls(),
        "has_ruleset": os.path.isfile("/etc/nftables.conf"),
        "firewall_is_ours": "table inet lemp" in content("/etc/nftables.conf"),
        "firewall_fragments": fragments(),
        "firewall_is_live": output("nft", "list", "table", "inet", "lemp") is not None,
        "swaps": [line.split()[0] for line in content("/proc/swaps").splitlines()[1:]],
        "swap_file_exists": os.path.exists(wanted["swap_file"]),
        "swap_file_is_used_at_boot": [wanted["swap_file"]] in mounted,
        "free_mb": space.f_bavail * space.f_frsize // 2**20,
        "due_accounts": [account["name"] for account in wanted["accounts"] if is_due(account)],
        "parameters_off": [name for name, value in wanted["parameters"].items() if value is not None and is_off(name, value)],
    }


if __name__ == "__main__":
    print(json.dumps(survey(json.loads(sys.argv[1]))))
