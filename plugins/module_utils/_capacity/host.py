# GNU General Public License v3.0+ (see LICENSE)
"""The facts of module host_capacity: memory, CPUs, disks, services and their data."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Iterable
from typing import Any

from . import cgroups, disks
from .files import Malformed, number, read

MIB = 2**20
FACT_FILE = "/etc/ansible/facts.d/lemp.fact"
STATE_DIRECTORY = "/var/lib/lemp"
STATE_FILE = f"{STATE_DIRECTORY}/memory.json"
DATA_DIRECTORIES = ("/var/lib/mysql", "/var/lib/postgresql", "/var/lib/redis", "/var/www", "/tmp")
# MemTotal differs a little from boot to boot and from kernel to kernel.
JITTER = 0.01
MOST_FILES = 20000

DAEMONS = {
    "nginx": ("usr/sbin/nginx",),
    "php_fpm": ("usr/sbin/php-fpm*",),
    "mariadb": ("usr/sbin/mariadbd", "usr/sbin/mysqld", "usr/libexec/mariadbd"),
    "postgresql": ("usr/lib/postgresql/*/bin/postgres", "usr/bin/postgres", "usr/pgsql-*/bin/postgres"),
    "redis": ("usr/bin/redis-server", "usr/bin/valkey-server"),
    "memcached": ("usr/bin/memcached",),
}


def measure(root: str, directories: Iterable[str]) -> dict[str, Any]:
    """Everything but what is remembered: see the module's documentation of ``lemp_capacity``.

    :raises Malformed: a file of the kernel or the fact file makes no sense.
    """
    services = sorted(name for name, patterns in DAEMONS.items() if any(_found(root, pattern) for pattern in patterns))
    return {
        "memory": _memory(root),
        "swap_bytes": _meminfo(root, "SwapTotal"),
        "page_size": os.sysconf("SC_PAGE_SIZE"),
        "huge_page_size": _meminfo(root, "Hugepagesize"),
        "architecture": platform.machine(),
        "board": read(root, "/sys/firmware/devicetree/base/model"),
        "cpus": _cpus(root),
        "kernel": {"nr_open": number(root, "/proc/sys/fs/nr_open"), "file_max": number(root, "/proc/sys/fs/file-max")},
        "disks": {path: disks.measure(root, path) for path in directories},
        "services": services,
        "versions": _versions(root, services),
        "data": {
            "mariadb": _size(root, "/var/lib/mysql", (".ibd", ".MYD", ".MYI", "ibdata1")),
            "postgresql": _size(root, "/var/lib/postgresql", ("",)),
        },
        "calibration": _calibration(root),
    }


def _meminfo(root: str, key: str) -> int:
    match = re.search(rf"^{key}:\s+(\d+) kB", read(root, "/proc/meminfo") or "", re.M)
    return int(match[1]) * 1024 if match else 0


def _memory(root: str) -> dict[str, Any]:
    total = _meminfo(root, "MemTotal")
    limit, source = cgroups.memory_limit(root, total or 2**62)
    return {
        "total_bytes": total,
        "limit_bytes": limit,
        "limit_source": source,
        "bytes": total if limit is None else limit,
        "controller": cgroups.has_memory_controller(root),
    }


def _cpus(root: str) -> dict[str, Any]:
    online = cgroups.parse_cpu_list(text) if (text := read(root, "/sys/devices/system/cpu/online")) else os.cpu_count() or 1
    allowed = min(online, cgroups.cpuset_size(root) or online, len(os.sched_getaffinity(0)) if root == "/" else online)
    quota, source = cgroups.cpu_quota(root)
    return {
        "online": online,
        "allowed": allowed,
        "quota": quota,
        "quota_source": source,
        "effective": float(allowed if quota is None else min(allowed, quota)),
    }


def _found(root: str, pattern: str) -> list[str]:
    return sorted(glob.glob(os.path.join(root, pattern)))


def _versions(root: str, services: Iterable[str]) -> dict[str, Any]:
    php = [match[1] for path in _found(root, "usr/sbin/php-fpm*") if (match := re.search(r"php-fpm(\d+\.\d+)$", path))]
    postgresql = [
        match[1] for path in _found(root, "usr/*/postgresql/*/bin/postgres") if (match := re.search(r"/(\d+)/", path))
    ]
    return {
        "php": sorted(php),
        "postgresql": sorted(postgresql, key=int),
        "mariadb": _mariadb_version(root) if "mariadb" in services else None,
    }


def _mariadb_version(root: str) -> str | None:
    for name in ("mariadb_upgrade_info", "mysql_upgrade_info"):
        if match := re.match(r"\d+\.\d+\.\d+", read(root, f"/var/lib/mysql/{name}") or ""):
            return match[0]
    if root != "/":
        return None
    daemon = next(path for pattern in DAEMONS["mariadb"] for path in _found(root, pattern))
    try:
        said = subprocess.run(
            [daemon, "--version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\d+\.\d+\.\d+", said.stdout)
    return match[0] if match else None


def _size(root: str, directory: str, endings: tuple[str, ...]) -> int | None:
    """Bytes of the files below a directory with one of these endings; None where nobody can tell quickly."""
    top = os.path.join(root, directory.lstrip("/"))
    if not os.access(top, os.R_OK):
        return None
    size = count = 0
    for folder, _, names in os.walk(top):
        count += len(names)
        if count > MOST_FILES:
            return None
        for name in names:
            if name.endswith(endings):
                with contextlib.suppress(OSError):
                    size += os.stat(os.path.join(folder, name), follow_symlinks=False).st_size
    return size


def _calibration(root: str) -> dict[str, Any]:
    text = read(root, FACT_FILE)
    if not text:
        return {}
    remedy = "correct or remove it, and measure again with playbook calibrate.yml."
    try:
        facts = json.loads(text)
    except ValueError as error:
        raise Malformed(f"{FACT_FILE} is no JSON ({error}); {remedy}") from error
    calibration = facts.get("calibration", {}) if isinstance(facts, dict) else None
    if not isinstance(calibration, dict):
        raise Malformed(f"{FACT_FILE} holds no dictionary of calibration; {remedy}")
    return calibration


def planned_memory(memory: dict[str, Any], remembered: Any) -> int:
    """Bytes to plan for: a limit as it is, else a little less than MemTotal, and the same again while that hardly changes.

    :param memory: what :func:`measure` says of memory.
    :param remembered: what :func:`recall` gave.
    """
    total = memory["total_bytes"]
    if memory["limit_bytes"] is not None:
        return int(memory["limit_bytes"])
    if isinstance(remembered, dict):
        before, planned = remembered.get("total_bytes"), remembered.get("planned_bytes")
        if isinstance(before, int) and isinstance(planned, int) and abs(total - before) <= before * JITTER and planned <= total:
            return planned
    return int(total * (1 - JITTER)) // MIB * MIB


def recall(root: str) -> Any:
    """What :func:`remember` wrote; None where that is not readable."""
    try:
        return json.loads(read(root, STATE_FILE) or "null")
    except ValueError:
        return None


def remember(root: str, memory: dict[str, Any]) -> None:
    """Keep what was planned for on the host, so that the next boot plans the same."""
    directory = os.path.join(root, STATE_DIRECTORY.lstrip("/"))
    os.makedirs(directory, mode=0o700, exist_ok=True)
    content = {"total_bytes": memory["total_bytes"], "planned_bytes": memory["planned_bytes"]}
    with tempfile.NamedTemporaryFile("w", dir=directory, delete=False) as stream:
        json.dump(content, stream)
    os.replace(stream.name, os.path.join(root, STATE_FILE.lstrip("/")))
