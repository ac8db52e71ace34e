# GNU General Public License v3.0+ (see LICENSE)
"""Limits of control groups, versions 1 and 2, on the way from a host's services up to where the hierarchy is mounted.

Sources: docs.kernel.org, admin-guide/cgroup-v1 and cgroup-v2; the cases follow KimMachineGun/automemlimit (memory),
uber-go/automaxprocs (quota) and nginx/docker-nginx (cpuset).
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass

from .files import Malformed, Mount, mounts, number, read

DEFAULT_PERIOD = 100000
# Of version 1 on 64 bits: the largest whole number of pages of 64 KiB, the largest there are; smaller pages say a bit more.
PAGE_COUNTER_MAXIMUM = 2**63 - 2**16


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
    """The hierarchy that has ``controller`` (``memory``, ``cpu``, ``cpuset``); None without one."""
    return next(iter(_hierarchies(root, controller)), None)


def _hierarchies(root: str, controller: str) -> list[Hierarchy]:
    """Every mount of the hierarchy that has ``controller``; where the group is seen in one, only such mounts."""
    groups = _groups(root)
    seen, others = [], []
    for mount in mounts(root):
        if mount.type == "cgroup" and controller in mount.options and controller in groups:
            version, group = 1, groups[controller]
        elif mount.type == "cgroup2" and "" in groups and controller in _controllers(root, mount.point):
            version, group = 2, groups[""]
        else:
            continue
        below = _below(root, mount, group)
        if below is None:
            # What is mounted belongs to another namespace: the mount itself is what there is.
            others.append(Hierarchy(version, mount.point, "/"))
        else:
            seen.append(Hierarchy(version, mount.point, below))
    return seen or others


def _controllers(root: str, group: str) -> list[str]:
    return (read(root, f"{group}/cgroup.controllers") or "").split()


def _groups(root: str) -> dict[str, str]:
    """Controller to the group of the first process, under which all services are; the unified hierarchy has no name."""
    found = {}
    path = "/proc/1/cgroup" if read(root, "/proc/1/cgroup") else "/proc/self/cgroup"
    for line in (read(root, path) or "").splitlines():
        parts = line.split(":", 2)
        if len(parts) != 3:
            raise Malformed(f"{path} contains {line!r}, which is not three fields.")
        for controller in parts[1].split(","):
            found[controller] = parts[2]
    return found


def _below(root: str, mount: Mount, group: str) -> str | None:
    """The group's path as seen below a mount that shows only a part of the hierarchy; None where it is not seen."""
    if mount.root == "/":
        return None if group.startswith("/..") else group
    if group == mount.root or group.startswith(mount.root.rstrip("/") + "/"):
        return group[len(mount.root) :]
    levels = mount.root.strip("/").split("/")
    if set(levels) != {".."}:
        return None
    # A private namespace, but the host's mount: the names of the groups in between are told by nothing but process 1 in them.
    top = os.path.join(root, mount.point.lstrip("/"))
    for path in glob.glob(os.path.join(glob.escape(top), *["*"] * len(levels), glob.escape(group.strip("/")), "cgroup.procs")):
        if "1" in (read("/", path) or "").split():
            return os.path.join("/", os.path.relpath(os.path.dirname(path), top))
    return None


def _groups_with_version(root: str, controller: str) -> list[tuple[str, int]]:
    where = hierarchy(root, controller)
    return [(group, where.version) for group in where.groups()] if where else []


def memory_limit(root: str, most: int) -> tuple[int | None, str | None]:
    """The tightest limit in bytes and the file that sets it.

    :param most: bytes; a limit of at least that is none, and so is version 1's page counter maximum.
    :raises Malformed: two mounts contradict each other.
    """
    limits = [limit for where in _hierarchies(root, "memory") for limit in _tightest(root, where, most)]
    for limit, path in limits:
        if limit != limits[0][0]:
            raise Malformed(f"{limits[0][1]} limits memory to {limits[0][0]} bytes, but {path} to {limit}.")
    return limits[0] if limits else (None, None)


def _tightest(root: str, where: Hierarchy, most: int) -> list[tuple[int, str]]:
    """The least limit below ``most``, if there is one. Of equal ones the outermost, which is where somebody set it."""
    found = [
        (limit, path) for group in where.groups() for path, limit in _memory_limits(root, group, where.version) if limit < most
    ]
    return [min(reversed(found), key=lambda limit: limit[0])] if found else []


def _memory_limits(root: str, group: str, version: int) -> Iterator[tuple[str, int]]:
    if version == 2:
        path = f"{group}/memory.max"
        limit = None if read(root, path) == "max" else number(root, path)
        if limit is not None:
            yield path, limit
        return
    for line in (read(root, f"{group}/memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name == "hierarchical_memory_limit":
            if not value.isdecimal():
                raise Malformed(f"{group}/memory.stat contains {line!r}, which is no number.")
            yield f"{group}/memory.stat", int(value)
    path = f"{group}/memory.limit_in_bytes"
    limit = number(root, path)
    if limit is not None and limit >= 0:
        yield path, limit


def has_memory_controller(root: str) -> bool:
    """Whether the kernel can hold groups to a limit of memory; Raspberry Pi OS boots without."""
    if hierarchy(root, "memory"):
        return True
    if any(mount.type == "cgroup2" for mount in mounts(root)):
        return False
    for line in (read(root, "/proc/cgroups") or "").splitlines():
        fields = line.split()
        if len(fields) == 4 and fields[0] == "memory":
            return fields[3] == "1"
    return False


def cpu_quota(root: str) -> tuple[float | None, str | None]:
    """The tightest quota in CPUs, a fraction perhaps, and the file that sets it."""
    tightest: tuple[float | None, str | None] = (None, None)
    for group, version in _groups_with_version(root, "cpu"):
        path, quota = _quota(root, group, version)
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
    valid = 1 <= len(fields) <= 2 and all(field.isdecimal() and int(field) > 0 for field in fields if field != "max")
    if not valid or "max" in fields[1:]:
        raise Malformed(f"{path} contains {text!r}, which is no quota and period.")
    if fields[0] == "max":
        return None
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
