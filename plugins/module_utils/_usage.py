# GNU General Public License v3.0+ (see LICENSE)
"""What the services of a host really take, while they work: the measurement of module host_usage."""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Optional

from ._capacity import cgroups
from ._capacity.files import read

# Evaluated when the module is loaded, so as Python 3.9 knows it.
Run = Callable[[Sequence[str]], Optional[str]]

SOCKETS = "/run/php-fpm"
STATE = "/var/lib/php-fpm"
WORKER, MASTER = "php-fpm: pool ", "php-fpm: master process"
UNITS = (
    "nginx.service",
    "php*-fpm.service",
    "mariadb.service",
    "postgresql*.service",
    "lemp-redis@*.service",
    "redis-server.service",
    "memcached.service",
)
UNIT_KEYS = ("working_bytes", "peak_working_bytes", "memory_max_bytes")
# What shared memory without a file of its own is called: mmap (also with huge pages), shmget, memfd_create.
NAMELESS = ("/dev/zero (deleted)", "/anon_hugepage", "/SYSV", "/memfd:", "[anon_shmem:")
MAPPING = frozenset("0123456789abcdef")
# Version 1 tells a group's own pages and, as total_, also those of the groups below; version 2 only the latter.
WORKING = {1: ("total_rss", "total_shmem"), 2: ("anon", "shmem")}
SCRIPT = "<?php echo json_encode(opcache_get_status(false));\n"
# A worker may be busy for long, but nobody waits for a host that has no free one.
PATIENCE_SECONDS = 10
MOST_BYTES = 2**20
STATUS = {
    "accepted_connections": "accepted conn",
    "max_active_processes": "max active processes",
    "max_children_reached": "max children reached",
    "max_listen_queue": "max listen queue",
}
OPCACHE = {
    "used_bytes": ("memory_usage", "used_memory"),
    "free_bytes": ("memory_usage", "free_memory"),
    "wasted_bytes": ("memory_usage", "wasted_memory"),
    "cached_scripts": ("opcache_statistics", "num_cached_scripts"),
    "max_cached_keys": ("opcache_statistics", "max_cached_keys"),
    "oom_restarts": ("opcache_statistics", "oom_restarts"),
    "hash_restarts": ("opcache_statistics", "hash_restarts"),
}
CONNECTIONS = (
    "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'MAX_USED_CONNECTIONS';"
    " SELECT @@max_connections"
)


def run_command(command: Sequence[str]) -> str | None:
    """What a command says; None where it is missing, fails or does not end."""
    try:
        said = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout


def measure(
    root: str,
    samples: int,
    interval: float,
    run: Run = run_command,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """See the module's documentation of ``usage``.

    :param samples: how often workers and units are looked at, at least once.
    :param interval: seconds between two looks.
    :raises Malformed: a file of the kernel makes no sense.
    """
    units = units_of(root, run)
    before = {name: pool_status(root, name) for name in socket_pools(root)}
    workers: dict[str, dict[int, int]] = {}
    masters: dict[str, int | None] = {}
    for index in range(samples):
        if index:
            pause(interval)
        for unit in units.values():
            look_at_unit(root, unit)
        for name, pid in find_workers(root):
            # A worker that ends meanwhile has no memory any more.
            if size := worker_bytes(read(root, f"/proc/{pid}/smaps") or ""):
                seen = workers.setdefault(name, {})
                seen[pid] = max(size, seen.get(pid, 0))
                masters[name] = parent(root, pid)
    pools = {
        name: pool_usage(list(workers.get(name, {}).values()), before.get(name), pool_status(root, name))
        for name in sorted({*before, *workers})
    }
    return {
        "php_fpm": {"pools": pools, "opcache": opcache_status(root, spokesmen(pools, masters))},
        "units": {name: {key: unit[key] for key in UNIT_KEYS} for name, unit in sorted(units.items())},
        "mariadb": mariadb_connections(run),
    }


def find_workers(root: str) -> Iterator[tuple[str, int]]:
    """Pool and process id of every worker of PHP-FPM.

    Anybody may give a process this title, so only children of a master that root runs are believed.
    """
    for name in os.listdir(os.path.join(root, "proc")):
        if name.isdecimal():
            title = read(root, f"/proc/{name}/cmdline") or ""
            if title.startswith(WORKER) and is_master(root, parent(root, int(name))):
                yield title[len(WORKER) :], int(name)


def parent(root: str, pid: int) -> int | None:
    match = re.search(r"^PPid:\s+(\d+)", read(root, f"/proc/{pid}/status") or "", re.M)
    return int(match[1]) if match else None


def is_master(root: str, pid: int | None) -> bool:
    title = read(root, f"/proc/{pid}/cmdline") or ""
    users = re.search(r"^Uid:\s+(.+)", read(root, f"/proc/{pid}/status") or "", re.M)
    return title.startswith(MASTER) and users is not None and set(users[1].split()) == {"0"}


def worker_bytes(smaps: str) -> int:
    """Bytes of a process by its proportional share of each mapping, without the shared memory that all workers have in common.

    :param smaps: text of ``/proc/PID/smaps``.
    """
    size, is_own = 0, True
    # Not splitlines: names of files may hold what it takes for the end of a line.
    for line in smaps.split("\n"):
        if line[:1] in MAPPING:
            is_own = not _is_shared_memory(line)
        elif is_own and line.startswith("Pss:"):
            size += int(line.split()[1]) * 1024
    return size


def _is_shared_memory(mapping: str) -> bool:
    fields = mapping.split(None, 5)
    path = fields[5] if len(fields) == 6 else ""
    return fields[1].endswith("s") and (path == "" or path.startswith(NAMELESS))


def pool_usage(sizes: Sequence[int], before: dict[str, int] | None, after: dict[str, int] | None) -> dict[str, Any]:
    requests = None
    if before and after:
        # The second question counts itself; a PHP-FPM that restarted in between counts from 0.
        requests = max(0, after["accepted_connections"] - before["accepted_connections"] - 1)
    return {"workers": len(sizes), "requests": requests, "worker_bytes": statistics(sizes), "status": after}


def statistics(sizes: Sequence[int]) -> dict[str, int] | None:
    """Median and 95th percentile, both by nearest rank, so that they are sizes that were seen, and the most."""
    if not sizes:
        return None
    ranked = sorted(sizes)
    return {"median": ranked[_rank(len(ranked), 50)], "p95": ranked[_rank(len(ranked), 95)], "max": ranked[-1]}


def _rank(count: int, percent: int) -> int:
    return -(-count * percent // 100) - 1


def units_of(root: str, run: Run) -> dict[str, dict[str, Any]]:
    """The units that run and whose control group counts memory, not looked at yet."""
    where = cgroups.hierarchy(root, "memory")
    said = run(["systemctl", "show", "-p", "Id", "-p", "LoadState", "-p", "ControlGroup", "-p", "MemoryMax", *UNITS])
    units: dict[str, dict[str, Any]] = {}
    for block in (said or "").split("\n\n"):
        shown = dict(line.partition("=")[::2] for line in block.splitlines())
        if where and shown.get("LoadState") == "loaded" and shown.get("ControlGroup"):
            most = shown.get("MemoryMax", "")
            units[shown["Id"]] = {
                "group": _unit_group(root, where, shown["ControlGroup"]),
                "version": where.version,
                "working_bytes": None,
                "peak_working_bytes": None,
                "memory_max_bytes": int(most) if most.isdecimal() else None,
            }
    return units


def _unit_group(root: str, where: cgroups.Hierarchy, group: str) -> str:
    """Directory of a unit's control group, also where systemd names it from above the part that is mounted."""
    path = where.mount.rstrip("/") + group
    if read(root, f"{path}/memory.stat") is None:
        return os.path.join(next(where.groups()), os.path.basename(group))
    return path


def look_at_unit(root: str, unit: dict[str, Any]) -> None:
    lines = (read(root, f"{unit['group']}/memory.stat") or "").splitlines()
    stat = {name: value for name, _, value in (line.partition(" ") for line in lines)}
    counted = [int(stat[key]) for key in WORKING[unit["version"]] if stat.get(key, "").isdecimal()]
    # A unit that was stopped meanwhile has no group.
    unit["working_bytes"] = sum(counted) if counted else None
    if counted:
        unit["peak_working_bytes"] = max(sum(counted), unit["peak_working_bytes"] or 0)


def socket_pools(root: str) -> list[str]:
    try:
        names = os.listdir(os.path.join(root, SOCKETS.lstrip("/")))
    except OSError:
        return []
    return sorted(name[: -len(".sock")] for name in names if name.endswith(".sock"))


def pool_status(root: str, pool: str) -> dict[str, int] | None:
    """What PHP-FPM counts of a pool since it started; None where it does not tell."""
    params = {"SCRIPT_NAME": "/fpm_status", "SCRIPT_FILENAME": "/fpm_status", "QUERY_STRING": "json"}
    said = ask(root, pool, params)
    return _whole_numbers({key: said.get(name) for key, name in STATUS.items()}) if isinstance(said, Mapping) else None


def _whole_numbers(found: Mapping[str, Any]) -> dict[str, int] | None:
    """The numbers, if all of them are. They come from a worker, which runs its site's code."""
    is_sound = all(isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 for value in found.values())
    return dict(found) if is_sound else None


def spokesmen(pools: Mapping[str, Mapping[str, Any]], masters: Mapping[str, int | None]) -> list[str]:
    """One pool of each master, whose pools share one OPcache; any pool that answers where no worker was seen."""
    by_master = {masters[name]: name for name in sorted(masters, reverse=True) if pools[name]["status"]}
    return sorted(by_master.values()) or [name for name, pool in pools.items() if pool["status"]][:1]


def opcache_status(root: str, pools: Sequence[str]) -> dict[str, int] | None:
    """The fullest OPcache of these pools, as all masters get the same size; None where nobody tells."""
    found = [status for pool in pools if (status := _ask_opcache(root, pool))]
    return max(found, key=lambda status: status["used_bytes"] + status["wasted_bytes"], default=None)


def _ask_opcache(root: str, pool: str) -> dict[str, int] | None:
    # Here open_basedir lets the pool read. OPcache keeps no script that is younger than opcache.file_update_protection.
    directory = f"{STATE}/{pool}/tmp"
    try:
        with temporary_script(os.path.join(root, directory.lstrip("/"))) as name:
            said = ask(root, pool, {"SCRIPT_NAME": f"/{name}", "SCRIPT_FILENAME": f"{directory}/{name}"})
    except OSError:
        return None
    if not isinstance(said, Mapping):
        return None
    return _whole_numbers({key: _number_in(said.get(part), name) for key, (part, name) in OPCACHE.items()})


def _number_in(part: Any, name: str) -> Any:
    return part.get(name) if isinstance(part, Mapping) else None


@contextlib.contextmanager
def temporary_script(directory: str) -> Iterator[str]:
    """A script of the directory's owner in it, by name. The owner may do there what he likes, so no name is followed."""
    folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        owner = os.fstat(folder)
        name = f"lemp-usage-{secrets.token_hex(16)}.php"
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=folder)
        try:
            with open(file, "w", encoding="ascii") as stream:
                os.fchown(file, owner.st_uid, owner.st_gid)
                stream.write(SCRIPT)
            yield name
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)


def ask(root: str, pool: str, params: Mapping[str, str]) -> Any:
    """The JSON that a pool answers to a request; None where it answers something else or nothing."""
    path = os.path.join(root, SOCKETS.lstrip("/"), f"{pool}.sock")
    try:
        answer = fastcgi(path, {"REQUEST_METHOD": "GET", **params}, PATIENCE_SECONDS)
        return json.loads(answer.partition(b"\r\n\r\n")[2])
    except (OSError, ValueError, RecursionError):
        return None


def fastcgi(path: str, params: Mapping[str, str], patience: float) -> bytes:
    """Headers and body of the answer (fastcgi-archives.github.io/FastCGI_Specification.html).

    :raises OSError: nothing listens, or the answer takes longer than ``patience`` seconds.
    """
    begin = struct.pack("!HB5x", 1, 0)
    body = b"".join(_pair(name.encode(), value.encode()) for name, value in params.items())
    message = _record(1, begin) + _record(4, body) + _record(4, b"") + _record(5, b"")
    deadline = time.monotonic() + patience
    received = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(patience)
        connection.connect(path)
        connection.sendall(message)
        while len(received) < MOST_BYTES and (part := connection.recv(65536)):
            received += part
            connection.settimeout(max(0.001, deadline - time.monotonic()))
    return standard_output(received)


def _record(kind: int, content: bytes) -> bytes:
    return struct.pack("!BBHHxx", 1, kind, 1, len(content)) + content


def _pair(name: bytes, value: bytes) -> bytes:
    return struct.pack("!II", len(name) | 1 << 31, len(value) | 1 << 31) + name + value


def standard_output(received: bytes) -> bytes:
    """Content of the records of type FCGI_STDOUT."""
    output, position = b"", 0
    while len(received) - position >= 8:
        kind, length, padding = struct.unpack_from("!xBxxHBx", received, position)
        position += 8
        if kind == 6:
            output += received[position : position + length]
        position += length + padding
    return output


def mariadb_connections(run: Run) -> dict[str, int] | None:
    said = run(["mariadb", "--batch", "-N", "--connect-timeout=5", "-e", CONNECTIONS])
    numbers = (said or "").split()
    if len(numbers) != 2 or not all(text.isdecimal() for text in numbers):
        return None
    return {"max_used_connections": int(numbers[0]), "max_connections": int(numbers[1])}
