# GNU General Public License v3.0+ (see LICENSE)
"""What a host has, and what of it stays with the operating system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from .units import MIB, down

# Share of each slice of memory kept for the operating system: Google Kubernetes Engine, "Plan node sizes", reserved memory.
# Its flat 255 MiB below 1 GiB is for an agent and a container runtime that no host of ours has: the first slice goes on.
RESERVE_LADDER = ((4096, 0.25), (4096, 0.20), (8192, 0.10), (114688, 0.06))
RESERVE_ABOVE_LADDER = 0.02
RESERVE_LEAST = 96 * MIB
# Nothing enforces the split where the memory controller is off (Raspberry Pi OS boots so), so more is kept back.
RESERVE_UNENFORCED = 0.05

# systemd from 240 on may raise fs.nr_open to 2^30, and programs size arrays by it (radondb-mysql-kubernetes 754).
MOST_FILES = 1048576

# Beyond any host; keeps infinity out.
LARGEST = 2**40
# Where services write, by service.
DATA_DIRECTORIES = {"mariadb": "/var/lib/mysql", "postgresql": "/var/lib/postgresql", "redis": "/var/lib/redis"}

DISK_KINDS = ("nvme", "ssd", "hdd", "sd", "tmpfs", "unknown")
PROFILES = ("balanced", "cpu", "io", "database")
PINS = ("memory_mb", "cpus", "page_size", "reserve_mb", "profile", "disk", "disk_gb", "architecture")


@dataclass(frozen=True)
class Disk:
    """Where a service keeps its data. ``size`` in bytes, 0 where unknown."""

    kind: str = "unknown"
    device: str = ""
    size: int = 0


@dataclass(frozen=True)
class Capacity:
    """Memory in bytes and CPUs that services may use together.

    :param memory: what is there, the tightest cgroup limit included.
    :param cpus: may be a fraction, where a quota rules.
    :param memory_controller: whether the kernel enforces the limits of units.
    :param nofile: open files that a daemon may ask for at most.
    :param pinned_reserve: bytes; None takes the ladder.
    """

    memory: int
    cpus: float
    memory_source: str = "MemTotal"
    page_size: int = 4096
    huge_page_size: int = 2 * MIB
    architecture: str = "x86_64"
    board: str | None = None
    swap: int = 0
    memory_controller: bool = True
    profile: str = "balanced"
    pinned_reserve: int | None = None
    file_max: int = 0
    nofile: int = MOST_FILES
    disks: Mapping[str, Disk] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)

    @property
    def whole_cpus(self) -> int:
        """Processes that can run at once (I23: never more than the quota rounded up)."""
        return max(1, ceil(self.cpus))

    @property
    def reserve(self) -> int:
        """Bytes that stay with the operating system (GKE ladder, 96 MiB at least, never more than half)."""
        if self.pinned_reserve is not None:
            return self.pinned_reserve
        unenforced = 0 if self.memory_controller else int(self.memory * RESERVE_UNENFORCED)
        reserve = 0.0
        rest = self.memory / MIB
        for size, share in RESERVE_LADDER:
            reserve += min(rest, size) * share
            rest = max(0.0, rest - size)
        kept = max(RESERVE_LEAST, int((reserve + rest * RESERVE_ABOVE_LADDER) * MIB))
        return min(kept + unenforced, self.memory // 2)

    def disk(self, directory: str) -> Disk:
        return self.disks.get(directory, Disk())

    def enlarged(self, memory: int) -> Capacity:
        """The same host with another amount of memory."""
        return Capacity(**{**self.__dict__, "memory": memory})


def read_capacity(facts: Mapping[str, Any], pins: Mapping[str, Any]) -> Capacity:
    """Read the host from facts; what is pinned in ``lemp_host`` outranks what was measured.

    :param facts: ``ansible_facts``; ``lemp_capacity`` of module host_capacity in it outranks the ordinary facts, which know
        nothing of the limits of a container.
    :raises ValueError: a pin makes no sense, or neither facts nor pins tell the size.
    """
    unknown = [str(key) for key in pins if key not in PINS]
    if unknown:
        raise ValueError(f"lemp_host has an unknown key {unknown[0]!r}; there are {', '.join(PINS)}.")
    found: Mapping[str, Any] = facts.get("lemp_capacity") or {}
    memory = found.get("memory") or {}
    memory_mb = _number("memory_mb", pins.get("memory_mb"), 1, LARGEST)
    cpus = _number("cpus", pins.get("cpus"), 0.01, LARGEST)
    if memory_mb is None:
        measured = memory.get("planned_bytes") or (facts.get("memtotal_mb") or 0) * MIB
        size = _known("memory_mb", int(measured))
        source = memory.get("limit_source") or "MemTotal"
    else:
        size, source = int(memory_mb * MIB), "lemp_host"
    if cpus is None:
        measured_cpus = (found.get("cpus") or {}).get("effective") or facts.get("processor_nproc", facts.get("processor_vcpus"))
        cpus = float(_known("cpus", measured_cpus))
    reserve_mb = _number("reserve_mb", pins.get("reserve_mb"), 0, LARGEST)
    if reserve_mb is not None and reserve_mb * MIB > size:
        raise ValueError(f"lemp_host.reserve_mb is {reserve_mb:g}, but the host has only {size // MIB} MB; lower it.")
    page_size = int(_number("page_size", pins.get("page_size"), 4096, 65536) or found.get("page_size") or 4096)
    if page_size not in (4096, 16384, 65536):
        raise ValueError(f"lemp_host.page_size is {page_size}, but must be 4096, 16384 or 65536.")
    calibration = found.get("calibration") or {}
    if not isinstance(calibration, Mapping):
        raise ValueError(f"the calibration kept on the host is {calibration!r}, but must be a dictionary; measure it again.")
    return Capacity(
        memory=size,
        cpus=cpus,
        memory_source=source,
        page_size=page_size,
        huge_page_size=int(found.get("huge_page_size") or 2 * MIB),
        architecture=str(pins.get("architecture") or found.get("architecture") or facts.get("architecture") or "x86_64"),
        board=found.get("board"),
        swap=int(found.get("swap_bytes") or (facts.get("swaptotal_mb") or 0) * MIB),
        memory_controller=bool(memory.get("controller", True)),
        profile=_choice("profile", pins.get("profile"), PROFILES, "balanced"),
        pinned_reserve=None if reserve_mb is None else int(reserve_mb * MIB),
        file_max=int((found.get("kernel") or {}).get("file_max") or 0),
        nofile=min(MOST_FILES, int((found.get("kernel") or {}).get("nofile") or MOST_FILES)),
        disks=_disks(found.get("disks") or {}, pins),
        versions=found.get("versions") or {},
        calibration=calibration,
    )


def _disks(found: Mapping[str, Any], pins: Mapping[str, Any]) -> dict[str, Disk]:
    kind = _choice("disk", pins.get("disk"), DISK_KINDS, "")
    disk_gb = _number("disk_gb", pins.get("disk_gb"), 1, LARGEST)
    directories = list(found) or (list(DATA_DIRECTORIES.values()) if kind or disk_gb else [])
    return {
        path: Disk(
            kind=kind or str((found.get(path) or {}).get("kind") or "unknown"),
            device=str((found.get(path) or {}).get("device") or ""),
            size=int(disk_gb * 1024 * MIB) if disk_gb else _coarse(int((found.get(path) or {}).get("size_bytes") or 0)),
        )
        for path in directories
    }


def _coarse(size: int) -> int:
    """Rounded down by an eighth at most: what ZFS calls the size of a file system changes with every write to another."""
    return down(size, 1 << max(0, size.bit_length() - 4))


def _known(name: str, value: Any) -> Any:
    if not value:
        raise ValueError(f"the host's {name} is unknown: gather facts before the plan, or set lemp_host.{name}.")
    return value


def _number(name: str, value: Any, low: float, high: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, str) and value.replace(".", "", 1).isdecimal():
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value < high + 1:
        raise ValueError(f"lemp_host.{name} is {value!r}, but must be a number of at least {low:g}.")
    return value


def _choice(name: str, value: Any, choices: tuple[str, ...], default: str) -> str:
    if value is None or value == "":
        return default
    if value not in choices:
        raise ValueError(f"lemp_host.{name} is {value!r}, but must be one of {', '.join(choices)}.")
    return str(value)
