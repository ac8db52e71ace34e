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
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from .._config.files import replace_durably
from . import cgroups, disks
from .files import Malformed, number, read

MIB = 2**20
FACT_FILE = "/etc/ansible/facts.d/lemp.fact"
STATE_DIRECTORY = "/var/lib/lemp"
STATE_FILE = f"{STATE_DIRECTORY}/memory.json"
DATA_DIRECTORIES = ("/var/lib/mysql", "/var/lib/postgresql", "/var/lib/redis", "/var/www", "/tmp")
# MemTotal differs a little from boot to boot and from kernel to kernel.
JITTER_PERCENT = 1
MOST_FILES = 20000
# linux/capability.h
CAP_SYS_RESOURCE = 24
TABLES = re.compile(r"ibdata.*|.*\.(ibd|MYD|MYI)")
CLUSTERS = ("var/lib/postgresql/*/*/base", "var/lib/pgsql/data/base", "var/lib/pgsql/*/data/base")

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
        "board": read(root, "/sys/firmware/devicetree/base/model") or None,
        "cpus": _cpus(root),
        "kernel": {
            "nr_open": number(root, "/proc/sys/fs/nr_open"),
            "file_max": number(root, "/proc/sys/fs/file-max"),
            "nofile": _nofile(root),
        },
        "disks": {path: disks.measure(root, path) for path in directories},
        "services": services,
        "versions": _versions(root, services),
        "data": {
            "mariadb": _size(_found(root, "var/lib/mysql"), TABLES),
            "postgresql": _size([path for pattern in CLUSTERS for path in _found(root, pattern)], re.compile(".*")),
        },
        "calibration": _calibration(root),
    }


def _meminfo(root: str, key: str) -> int | None:
    match = re.search(rf"^{key}:\s+(\d+) kB", read(root, "/proc/meminfo") or "", re.M)
    return int(match[1]) * 1024 if match else None


def _memory(root: str) -> dict[str, Any]:
    total = _meminfo(root, "MemTotal")
    limit, source = cgroups.memory_limit(root, total or cgroups.PAGE_COUNTER_MAXIMUM)
    return {
        "total_bytes": total,
        "limit_bytes": limit,
        "limit_source": source,
        "bytes": total if limit is None else limit,
        "controller": cgroups.has_memory_controller(root),
    }


def _cpus(root: str) -> dict[str, Any]:
    path = "/sys/devices/system/cpu/online"
    online = cgroups.parse_cpu_list(text, path) if (text := read(root, path)) else os.cpu_count() or 1
    allowed = min(online, cgroups.cpuset_size(root) or online, len(os.sched_getaffinity(0)) if root == "/" else online)
    quota, source = cgroups.cpu_quota(root)
    return {
        "online": online,
        "allowed": allowed,
        "quota": quota,
        "quota_source": source,
        "effective": float(allowed if quota is None else min(allowed, quota)),
    }


def _nofile(root: str) -> int | None:
    """Open files that a daemon may ask for at most; None where systemd may raise it, which takes CAP_SYS_RESOURCE."""
    effective = re.search(r"^CapEff:\s+([0-9a-f]+)", read(root, "/proc/1/status") or "", re.M)
    limit = re.search(r"^Max open files\s+\S+\s+(\d+)", read(root, "/proc/1/limits") or "", re.M)
    is_free = effective is None or int(effective[1], 16) >> CAP_SYS_RESOURCE & 1
    return None if is_free or limit is None else int(limit[1])


def _found(root: str, pattern: str) -> list[str]:
    return sorted(glob.glob(os.path.join(root, pattern)))


def _versions(root: str, services: Iterable[str]) -> dict[str, Any]:
    php = [match[1] for path in _found(root, "usr/sbin/php-fpm*") if (match := re.search(r"php-fpm(\d+\.\d+)$", path))]
    postgresql = [
        match[1]
        for pattern in DAEMONS["postgresql"]
        for path in _found(root, pattern)
        if (match := re.search(r"/(?:postgresql/|pgsql-)(\d+)/bin/postgres$", path))
    ]
    return {
        "php": sorted(php, key=lambda version: [int(part) for part in version.split(".")]),
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


def _size(directories: list[str], names: re.Pattern[str]) -> int | None:
    """Bytes of the files of these names; None where there are no directories or nobody can tell quickly."""
    if not directories:
        return None
    size = 0
    try:
        for count, file in enumerate(chain.from_iterable(map(_files, directories)), 1):
            if count > MOST_FILES:
                return None
            if names.fullmatch(file.name):
                # Temporary tables come and go.
                with contextlib.suppress(FileNotFoundError):
                    size += file.stat(follow_symlinks=False).st_size
    except OSError:
        return None
    return size


def _files(directory: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            else:
                yield entry


def _calibration(root: str) -> dict[str, Any]:
    text = read(root, FACT_FILE)
    if text is None:
        return {}
    remedy = "correct or remove it, and measure again with playbook calibrate.yml."
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{FACT_FILE} is no JSON ({error}); {remedy}") from error
    calibration = facts.get("calibration", {}) if isinstance(facts, dict) else None
    if not isinstance(calibration, dict):
        raise Malformed(f"{FACT_FILE} holds no dictionary of calibration; {remedy}")
    return calibration


def planned_memory(memory: dict[str, Any], remembered: Any) -> int | None:
    """Bytes to plan for: a limit as it is, else a little less than MemTotal, and the same again while that hardly changes.

    :param memory: what :func:`measure` says of memory.
    :param remembered: what :func:`recall` gave.
    """
    total: int | None = memory["total_bytes"]
    limit: int | None = memory["limit_bytes"]
    if limit is not None or total is None:
        return limit
    kept = kept_plan(total, remembered)
    return total * (100 - JITTER_PERCENT) // 100 // MIB * MIB if kept is None else kept


def kept_plan(total: int, remembered: Any) -> int | None:
    """The remembered bytes to plan for, where they stand for this MemTotal; None where it has to be planned anew."""
    if not isinstance(remembered, dict):
        return None
    before, planned = remembered.get("total_bytes"), remembered.get("planned_bytes")
    if not isinstance(before, int) or not isinstance(planned, int) or not 0 < planned <= total:
        return None
    # Whole numbers: no remembered number is too large to compare.
    return planned if abs(total - before) * 100 <= before * JITTER_PERCENT else None


def is_news(memory: dict[str, Any], remembered: Any) -> bool:
    """Whether what is planned for comes from MemTotal and is not what was remembered."""
    total = memory["total_bytes"]
    return memory["limit_bytes"] is None and total is not None and kept_plan(total, remembered) is None


def recall(root: str) -> Any:
    """What :func:`remember` wrote; None where that is not readable."""
    try:
        return json.loads(read(root, STATE_FILE) or "null")
    except (ValueError, RecursionError):
        return None


def remember(root: str, memory: dict[str, Any]) -> None:
    """Keep what was planned for on the host, so that the next boot plans the same."""
    directory = os.path.join(root, STATE_DIRECTORY.lstrip("/"))
    os.makedirs(directory, exist_ok=True)
    os.chmod(directory, 0o700)
    content = {"total_bytes": memory["total_bytes"], "planned_bytes": memory["planned_bytes"]}
    replace_durably(os.path.join(root, STATE_FILE.lstrip("/")), json.dumps(content).encode())
