"""Disks under directories: which mount holds a directory, and what is below that."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._capacity import disks

Tree = Callable[[Mapping[str, str]], str]
MOUNTINFO = r"""
22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 259:2 / /nvme rw shared:1 - ext4 /dev/nvme0n1p2 rw
24 22 179:2 / /card rw - ext4 /dev/mmcblk0p2 rw
25 22 8:16 / /ssd rw - xfs /dev/sdb rw
26 22 253:1 / /volume rw - ext4 /dev/mapper/vg-crypt rw
27 22 0:40 / /tmpfs rw - tmpfs tmpfs rw
28 22 0:41 / /overlay rw - overlay overlay rw
29 22 254:0 / /turning rw - ext4 /dev/vda rw
30 22 254:16 / /virtual rw - ext4 /dev/vdb rw
31 22 7:7 / /gone rw - ext4 /dev/loop7 rw
32 22 8:16 / /twice rw - xfs /dev/sdb rw
33 32 0:40 / /twice rw - tmpfs tmpfs rw
34 22 8:16 / /with\040blank rw - xfs /dev/sdb rw
35 22 259:2 / /ssd/deeper rw - ext4 /dev/nvme0n1p2 rw
""".lstrip()
# Device, whether it turns, and what it is a partition of.
BLOCKS = {
    "8:1": ("sda/sda1", None),
    "8:0": ("sda", "1"),
    "259:2": ("nvme0n1/nvme0n1p2", None),
    "259:0": ("nvme0n1", "0"),
    "179:2": ("mmcblk0/mmcblk0p2", None),
    "179:0": ("mmcblk0", "0"),
    "8:16": ("sdb", "0"),
    "253:0": ("dm-0", "0"),
    "253:1": ("dm-1", "0"),
    "254:0": ("vda", "1"),
    "254:16": ("vdb", "0"),
}


@pytest.fixture
def root(tree: Tree) -> str:
    names = "nvme card ssd ssd/deeper volume tmpfs overlay turning virtual gone twice with\040blank plain".split(" ")
    top = Path(tree({"/proc/self/mountinfo": MOUNTINFO, **{f"/{name}/data/file": "" for name in [*names, "with blank"]}}))
    (top / "sys/dev/block").mkdir(parents=True)
    for number, (device, rotational) in BLOCKS.items():
        folder = top / "sys/devices" / device
        (folder / "queue").mkdir(parents=True, exist_ok=True)
        if rotational is None:
            (folder / "partition").write_text("1\n")
            (folder / "queue").rmdir()
        else:
            (folder / "queue/rotational").write_text(f"{rotational}\n")
        (top / "sys/dev/block" / number).symlink_to(f"../../devices/{device}")
    # An encrypted volume over a logical one, and that over a partition of an SD card and an NVMe disk.
    for device, parts in {"dm-1": ["dm-0"], "dm-0": ["nvme0n1", "mmcblk0/mmcblk0p2"]}.items():
        (top / "sys/devices" / device / "slaves").mkdir()
        for part in parts:
            (top / "sys/devices" / device / "slaves" / os.path.basename(part)).symlink_to(f"../../{part}")
    return str(top)


@pytest.mark.parametrize(
    ("path", "kind", "device"),
    [
        ("/", "hdd", "/dev/sda1"),
        ("/plain/data", "hdd", "/dev/sda1"),
        ("/nvme/data", "nvme", "/dev/nvme0n1p2"),
        ("/card", "sd", "/dev/mmcblk0p2"),
        ("/ssd/", "ssd", "/dev/sdb"),
        ("/ssd/deeper/data", "nvme", "/dev/nvme0n1p2"),
        ("/tmpfs/data", "tmpfs", "tmpfs"),
        ("/overlay/data", "unknown", "overlay"),
        ("/virtual", "ssd", "/dev/vdb"),
        ("/with blank/data", "ssd", "/dev/sdb"),
        ("/gone", "unknown", "/dev/loop7"),
    ],
)
def test_the_disk_under_a_directory_is_told(root: str, path: str, kind: str, device: str) -> None:
    found = disks.measure(root, path)
    assert (found["kind"], found["device"]) == (kind, device)
    assert found["size_bytes"] >= found["free_bytes"] > 0


def test_a_volume_is_as_slow_as_the_slowest_disk_below_it(root: str) -> None:
    assert disks.measure(root, "/volume/data")["kind"] == "sd"


def test_a_virtual_disk_that_claims_to_turn_is_not_believed(root: str) -> None:
    assert disks.measure(root, "/turning")["kind"] == "unknown"


def test_of_two_mounts_on_one_place_the_later_is_seen(root: str) -> None:
    assert disks.measure(root, "/twice/data")["kind"] == "tmpfs"


def test_a_missing_directory_counts_as_its_nearest_ancestor(root: str) -> None:
    assert disks.measure(root, "/ssd/not/there/yet")["device"] == "/dev/sdb"
    # A mount of that name would be deeper, but a file is no directory.
    assert disks.measure(root, "/nvme/data/file")["device"] == "/dev/nvme0n1p2"


def test_a_name_that_only_begins_like_a_mount_is_not_on_it(root: str) -> None:
    os.mkdir(f"{root}/nvmeother")
    assert disks.measure(root, "/nvmeother")["device"] == "/dev/sda1"


def test_data_behind_a_link_is_on_the_disk_that_the_link_leads_to(root: str) -> None:
    os.symlink("../nvme/data", f"{root}/plain/moved")
    assert disks.measure(root, "/plain/moved")["kind"] == "nvme"
    os.symlink("nowhere", f"{root}/plain/broken")
    assert disks.measure(root, "/plain/broken")["kind"] == "hdd"


def test_nothing_is_known_without_mountinfo(tree: Tree) -> None:
    found: dict[str, Any] = disks.measure(tree({}), "/var/lib/mysql")
    assert (found["kind"], found["device"]) == ("unknown", None)


def test_a_size_that_cannot_be_asked_for_is_unknown(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "statvfs", refused)
    assert disks.measure(root, "/ssd") == {"kind": "ssd", "device": "/dev/sdb", "size_bytes": None, "free_bytes": None}
