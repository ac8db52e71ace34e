# GNU General Public License v3.0+ (see LICENSE)
"""What kind of disk a directory is on, and how large that is."""

from __future__ import annotations

import os
from typing import Any

from .files import read

# The slowest first: a volume over several disks is as fast as the slowest of them.
KINDS = ("sd", "hdd", "unknown", "ssd", "nvme")


def measure(root: str, directory: str) -> dict[str, Any]:
    """Kind, device, size and free bytes of the disk under a directory, or under its nearest ancestor that is there."""
    path = directory
    while path != "/" and not os.path.isdir(os.path.join(root, path.lstrip("/"))):
        path = os.path.dirname(path)
    number, filesystem, source = _mount_of(root, path)
    try:
        usage = os.statvfs(os.path.join(root, path.lstrip("/")))
        size, free = usage.f_blocks * usage.f_frsize, usage.f_bavail * usage.f_frsize
    except OSError:
        size = free = 0
    kind = "tmpfs" if filesystem == "tmpfs" else _kind(root, number)
    return {"kind": kind, "device": source, "size_bytes": size, "free_bytes": free}


def _mount_of(root: str, path: str) -> tuple[str, str, str]:
    """Device number, type and source of the file system that holds a path."""
    best, found = "", ("", "", "")
    for line in (read(root, "/proc/self/mountinfo") or "").splitlines():
        fields = line.split(" ")
        if "-" not in fields or len(fields) < 6:
            continue
        behind = fields[fields.index("-") + 1 :]
        mount = fields[4].replace("\\040", " ")
        holds = path == mount or path.startswith(mount.rstrip("/") + "/")
        # Of two mounts on one place the later one is seen.
        if holds and len(mount) >= len(best) and len(behind) >= 2:
            best, found = mount, (fields[2], behind[0], behind[1])
    return found


def _kind(root: str, number: str) -> str:
    """The kind of a block device by its number; file systems without one, as overlay, are unknown."""
    if not number or number.startswith("0:"):
        return "unknown"
    device = os.path.realpath(os.path.join(root, f"sys/dev/block/{number}"))
    if os.path.exists(os.path.join(device, "partition")):
        device = os.path.dirname(device)
    below = os.path.join(device, "slaves")
    parts = sorted(os.listdir(below)) if os.path.isdir(below) else []
    if parts:
        kinds = [_kind_of_disk(os.path.realpath(os.path.join(below, part))) for part in parts]
        return min(kinds, key=KINDS.index)
    return _kind_of_disk(device)


def _kind_of_disk(device: str) -> str:
    if os.path.exists(os.path.join(device, "partition")):
        device = os.path.dirname(device)
    name = os.path.basename(device)
    if name.startswith("mmcblk"):
        return "sd"
    if name.startswith("nvme"):
        return "nvme"
    rotational = read("/", os.path.join(device, "queue/rotational"))
    # A virtual disk says 1 where its host did not ask: only those that say 0 are surely without a head.
    if rotational is None or (rotational == "1" and name.startswith(("vd", "xvd"))):
        return "unknown"
    return "hdd" if rotational == "1" else "ssd"
