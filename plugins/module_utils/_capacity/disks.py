# GNU General Public License v3.0+ (see LICENSE)
"""What kind of disk a directory is on, and how large that is."""

from __future__ import annotations

import os
from typing import Any

from .files import mounts, read

# The slowest first: a volume over several disks is as fast as the slowest of them.
KINDS = ("sd", "hdd", "unknown", "ssd", "nvme")


def measure(root: str, directory: str) -> dict[str, Any]:
    """Kind, device, size and free bytes of the disk under a directory, or under its nearest ancestor that is there."""
    path = os.path.join(root, directory.lstrip("/"))
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    # Data is often moved to another disk with a link.
    path = os.path.realpath(path)
    number, filesystem, source = _mount_of(
        root, os.path.normpath(os.path.join("/", os.path.relpath(path, os.path.realpath(root))))
    )
    try:
        usage = os.statvfs(path)
    except OSError:
        usage = None
    kind = "tmpfs" if filesystem == "tmpfs" else _kind(root, number)
    return {
        "kind": kind,
        "device": source or None,
        "size_bytes": usage and usage.f_blocks * usage.f_frsize,
        "free_bytes": usage and usage.f_bavail * usage.f_frsize,
    }


def _mount_of(root: str, path: str) -> tuple[str, str, str]:
    """Device number, type and source of the file system that holds a path."""
    best, found = "", ("", "", "")
    for mount in mounts(root):
        holds = path == mount.point or path.startswith(mount.point.rstrip("/") + "/")
        # Of two mounts on one place the later one is seen.
        if holds and len(mount.point) >= len(best):
            best, found = mount.point, (mount.number, mount.type, mount.source)
    return found


def _kind(root: str, number: str) -> str:
    """The kind of a block device by its number; file systems without one, as overlay, are unknown."""
    if not number or number.startswith("0:"):
        return "unknown"
    return _kind_of_disk(os.path.realpath(os.path.join(root, f"sys/dev/block/{number}")))


def _kind_of_disk(device: str) -> str:
    if os.path.exists(os.path.join(device, "partition")):
        device = os.path.dirname(device)
    below = os.path.join(device, "slaves")
    parts = os.listdir(below) if os.path.isdir(below) else []
    if parts:
        # A volume may be on an encrypted one, and that on disks.
        return min((_kind_of_disk(os.path.realpath(os.path.join(below, part))) for part in parts), key=KINDS.index)
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
