"""Print, as JSON, what the role has to know of a host before it changes anything.

Argument: JSON with zone, locale, locale_file, swap_file, firewall and other managers of it, other time daemons, accounts
as filter baseline_accounts makes them, and parameters of the kernel. Runs on Python 3.9, with the standard library only.
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

# Per firewall: the role's own file and what tells that it is the role's, files of tiers, and what is live for nft to list.
FIREWALLS = {
    "nftables": ("/etc/nftables.conf", "table inet lemp", "/etc/nftables.d/lemp-*.nft", "table inet lemp"),
    "firewalld": (
        "/etc/firewalld/policies/lemp.xml",
        "lemp.stack.baseline",
        "/etc/firewalld/policies/lemp-*.xml",
        "chain inet firewalld filter_IN_policy_lemp",
    ),
}
# Where a Raspberry Pi's firmware finds the arguments of the kernel.
BOOT_FILE = "/boot/firmware/cmdline.txt"


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
    by_socket = is_started_by_socket()
    # Until the first connection there is no directory that -T asks for.
    effective = output("/usr/sbin/sshd", "-G" if by_socket else "-T") or ""
    return {
        "installed": os.path.exists("/usr/sbin/sshd"),
        "reads_drop_ins": bool(re.search(r"(?mi)^\s*Include\s+\S*sshd_config\.d/\*\.conf", config)),
        "effective": effective,
        # Keys that do not lie in the user's own file cannot be judged from here.
        "has_other_key_sources": bool(re.search(r"(?m)^(authorizedkeyscommand|trustedusercakeys) (?!none$)", effective)),
        "kex": (output("ssh", "-Q", "kex") or "").split(),
        "is_started_by_socket": by_socket,
    }


def is_started_by_socket():
    """Whether systemd listens for sshd and takes the ports from sshd's own configuration, as on Ubuntu since 24.04."""
    folders = ("/usr/lib/systemd/system-generators", "/lib/systemd/system-generators")
    has_generator = any(os.path.exists(f"{folder}/sshd-socket-generator") for folder in folders)
    return has_generator and output("systemctl", "is-active", "ssh.socket") is not None


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


def firewalls(names):
    """Those of these managers of the firewall that are switched on."""
    found = [name for name in names if name != "ufw" and output("systemctl", "is-active", name)]
    # ufw.service counts as active also where ufw is switched off.
    is_ufw_on = "ufw" in names and re.search(r"(?m)^ENABLED=yes", content("/etc/ufw/ufw.conf"))
    return found + (["ufw"] if is_ufw_on else [])


def fragments(pattern):
    """Firewall rules of tiers by path, where owner and permissions are right and no interrupted change waits to be undone."""
    found = {}
    for path in glob.glob(pattern):
        status = os.lstat(path)
        name = os.path.splitext(os.path.basename(path))[0][len("lemp-") :]
        interrupted = os.path.exists(f"/var/lib/lemp/config/firewall-{name}/transaction")
        if (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFREG | 0o644, 0, 0) and not interrupted:
            found[path] = content(path)
    return found


def is_sd_card(device):
    """Whether a device, as stat gives it, lies on an SD card; an eMMC, whose devices are named alike, says MMC."""
    path = os.path.realpath(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    disk = re.match(r".*/mmcblk\d+(?=/|$)", path)
    return bool(disk) and content(f"{disk.group()}/device/type").strip() == "SD"


def has_memory_cgroup():
    """Whether units can be held to an amount of memory, with control groups of version 2 or 1."""
    controllers = content("/sys/fs/cgroup/cgroup.controllers").split()
    return "memory" in controllers or bool(re.search(r"(?m)^memory\s+\d+\s+\d+\s+1$", content("/proc/cgroups")))


def board():
    """What a Raspberry Pi has besides what every host has; Raspberry Pi OS itself says that it is Debian."""
    model = content("/sys/firmware/devicetree/base/model").rstrip("\0\n")
    is_pi = os.path.exists("/etc/rpi-issue") and model.startswith("Raspberry Pi")
    has_wifi = any(glob.glob(f"/sys/class/net/*/{name}") for name in ("wireless", "phy80211"))
    return {
        "is_raspberry_pi": is_pi,
        "root_is_on_sd_card": is_sd_card(os.stat("/").st_dev),
        "has_memory_cgroup": has_memory_cgroup(),
        "has_watchdog": is_pi and os.path.exists("/dev/watchdog"),
        "has_wifi": is_pi and has_wifi and os.path.isdir("/etc/NetworkManager/conf.d"),
        "boot_file": BOOT_FILE,
        "boot_arguments": content(BOOT_FILE) if is_pi else "",
        "boot_mode": f"{stat.S_IMODE(os.stat(BOOT_FILE).st_mode):04o}" if is_pi and os.path.exists(BOOT_FILE) else "0755",
    }


def survey(wanted):
    zones = "/usr/share/zoneinfo"
    space = os.statvfs(os.path.dirname(wanted["swap_file"]))
    sbin = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    ruleset, mark, tiers, live = FIREWALLS[wanted["firewall"]]
    mounted = [line.split()[:1] for line in content("/etc/fstab").splitlines()]
    return {
        "session": session(),
        "sshd": sshd(),
        "zone_is_known": not os.path.isdir(zones) or os.path.isfile(os.path.join(zones, wanted["zone"])),
        "has_timezone_file": os.path.exists("/etc/timezone"),
        "has_locale": has_locale(wanted["locale"]),
        "locale_file": os.path.realpath(wanted["locale_file"]),
        "time_daemons": [name for name in wanted["other_time_daemons"] if shutil.which(name, path=sbin)],
        "firewalls": firewalls(wanted["other_firewalls"]),
        "has_ruleset": os.path.isfile(ruleset),
        "firewall_is_ours": mark in content(ruleset),
        "firewall_fragments": fragments(tiers),
        "firewall_is_live": output("nft", "list", *live.split()) is not None,
        "board": board(),
        "swaps": [line.split()[0] for line in content("/proc/swaps").splitlines()[1:]],
        "swap_file_exists": os.path.exists(wanted["swap_file"]),
        "swap_file_is_used_at_boot": [wanted["swap_file"]] in mounted,
        "free_mb": space.f_bavail * space.f_frsize // 2**20,
        "due_accounts": [account["name"] for account in wanted["accounts"] if is_due(account)],
        "parameters_off": [name for name, value in wanted["parameters"].items() if value is not None and is_off(name, value)],
    }


if __name__ == "__main__":
    print(json.dumps(survey(json.loads(sys.argv[1]))))
