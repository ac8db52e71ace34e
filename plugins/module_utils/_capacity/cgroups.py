# GNU General Public License v3.0+ (see LICENSE)
"""Limits of control groups, versions 1 and 2, on the way from a host's services up to where the hierarchy is mounted.

Sources: docs.kernel.org, admin-guide/cgroup-v1 and cgroup-v2; the cases follow KimMachineGun/automemlimit (memory),
uber-go/automaxprocs (quota) and nginx/docker-nginx (cpuset).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from .files import Malformed, number, read

DEFAULT_PERIOD = 100000


@dataclass(frozen=True)
class Hierarchy:
    """Where one controller is mounted, and the group there of the host's first process.

    :param mount: directory of the mount.
    :param group: path of the group below it.
    """

    version: int
    mount: str
    group: str

    def groups(self) -> Iterator[str]:
        """Directories from the services' own slice up to the mount."""
        path = self.group
        if os.path.basename(path) == "init.scope":
            path = os.path.dirname(path)
        yield os.path.join(self.mount, path.strip("/"), "system.slice")
        while True:
            yield os.path.join(self.mount, path.strip("/")).rstrip("/")
            if path in ("", "/"):
                return
            path = os.path.dirname(path)


def hierarchy(root: str, controller: str) -> Hierarchy | None:
    """The hierarchy that has ``controller`` (``memory``, ``cpu``, ``cpuset``); None without one.

    :raises Malformed: two mounts of the controller contradict each other.
    """
    groups = _groups(root)
    unified = None
    for line in (read(root, "/proc/self/mountinfo") or "").splitlines():
        fields = line.split(" ")
        if "-" not in fields:
            continue
        behind = fields[fields.index("-") + 1 :]
        if len(fields) < 6 or len(behind) < 3 or behind[0] not in ("cgroup", "cgroup2"):
            continue
        mount_root, mount = fields[3], fields[4]
        if behind[0] == "cgroup" and controller in behind[2].split(",") and controller in groups:
            return Hierarchy(1, mount, _below(groups[controller], mount_root))
        if behind[0] == "cgroup2" and "" in groups:
            unified = Hierarchy(2, mount, _below(groups[""], mount_root))
    if unified and controller in (read(root, f"{unified.mount}/cgroup.controllers") or "").split():
        return unified
    return None


def _groups(root: str) -> dict[str, str]:
    """Controller to the group of the first process, under which all services are; the unified hierarchy has no name."""
    found = {}
    text = read(root, "/proc/1/cgroup") or read(root, "/proc/self/cgroup") or ""
    for line in text.splitlines():
        parts = line.split(":", 2)
        if len(parts) != 3:
            raise Malformed(f"/proc/1/cgroup contains {line!r}, which is not three fields.")
        for controller in parts[1].split(","):
            found[controller] = parts[2]
    return found


def _below(group: str, mount_root: str) -> str:
    """The group's path as seen below a mount that shows only ``mount_root`` of the hierarchy."""
    if mount_root != "/" and (group == mount_root or group.startswith(mount_root.rstrip("/") + "/")):
        return group[len(mount_root) :]
    # A group outside of what is mounted (/../..) belongs to another namespace: the mount itself is what there is.
    return "/" if mount_root != "/" or group.startswith("/..") else group


def memory_limit(root: str, most: int) -> tuple[int | None, str | None]:
    """The tightest limit in bytes and the file that sets it.

    :param most: bytes; a limit of at least that is none, and so is version 1's page counter maximum.
    """
    where = hierarchy(root, "memory")
    tightest: tuple[int | None, str | None] = (None, None)
    for group in where.groups() if where else ():
        assert where
        for path, limit in _memory_limits(root, group, where.version):
            # Of equal limits the outermost is named, which is where somebody set it.
            if limit < most and (tightest[0] is None or limit <= tightest[0]):
                tightest = (limit, path)
    return tightest


def _memory_limits(root: str, group: str, version: int) -> Iterator[tuple[str, int]]:
    if version == 2:
        path = f"{group}/memory.max"
        text = read(root, path)
        if text and text != "max":
            limit = number(root, path)
            if limit is not None:
                yield path, limit
        return
    for line in (read(root, f"{group}/memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name == "hierarchical_memory_limit" and value.isdecimal():
            yield f"{group}/memory.stat", int(value)
    path = f"{group}/memory.limit_in_bytes"
    limit = number(root, path)
    if limit is not None and limit >= 0:
        yield path, limit


def has_memory_controller(root: str) -> bool:
    """Whether the kernel can hold groups to a limit of memory; Raspberry Pi OS boots without."""
    if hierarchy(root, "memory"):
        return True
    for line in (read(root, "/proc/cgroups") or "").splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[0] == "memory":
            return fields[3] == "1"
    return False


def cpu_quota(root: str) -> tuple[float | None, str | None]:
    """The tightest quota in CPUs, a fraction perhaps, and the file that sets it."""
    where = hierarchy(root, "cpu")
    tightest: tuple[float | None, str | None] = (None, None)
    for group in where.groups() if where else ():
        assert where
        path, quota = _quota(root, group, where.version)
        if quota is not None and (tightest[0] is None or quota <= tightest[0]):
            tightest = (quota, path)
    return tightest


def _quota(root: str, group: str, version: int) -> tuple[str, float | None]:
    if version == 2:
        path = f"{group}/cpu.max"
        text = read(root, path)
        return path, None if text is None else parse_cpu_max(text, path)
    path = f"{group}/cpu.cfs_quota_us"
    quota, period = number(root, path), number(root, f"{group}/cpu.cfs_period_us")
    return path, quota / (period or DEFAULT_PERIOD) if quota is not None and quota > 0 else None


def parse_cpu_max(text: str, path: str = "cpu.max") -> float | None:
    """CPUs that the text of ``cpu.max`` allows; None for no limit.

    :raises Malformed: it is neither ``max`` nor a quota, with a period behind it or not.
    """
    fields = text.split()
    valid = 1 <= len(fields) <= 2 and all(field.isdecimal() and int(field) > 0 for field in fields[1:])
    if valid and fields[0] == "max":
        return None
    if not valid or not fields[0].isdecimal():
        raise Malformed(f"{path} contains {text!r}, which is no quota and period.")
    return int(fields[0]) / (int(fields[1]) if len(fields) == 2 else DEFAULT_PERIOD)


def cpuset_size(root: str) -> int | None:
    """CPUs that the services may run on; None where no set says so."""
    where = hierarchy(root, "cpuset")
    names = (
        ("cpuset.cpus.effective", "cpuset.cpus") if where and where.version == 2 else ("cpuset.effective_cpus", "cpuset.cpus")
    )
    sizes = []
    for group in where.groups() if where else ():
        for name in names:
            text = read(root, f"{group}/{name}")
            if text:
                sizes.append(parse_cpu_list(text, f"{group}/{name}"))
                break
    return min(sizes) if sizes else None


def parse_cpu_list(text: str, path: str = "cpuset.cpus") -> int:
    """How many CPUs a list such as ``0-1,4`` names.

    :raises Malformed: it is no such list.
    """
    count = 0
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise Malformed(f"{path} contains {text!r}, which is no list of CPUs.")
        count += int(last) - int(first) + 1 if dash else 1
    return count
