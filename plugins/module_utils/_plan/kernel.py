# GNU General Public License v3.0+ (see LICENSE)
"""Kernel parameters that depend on what runs on the host. Role baseline is their one owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .capacity import Capacity
from .model import Section, Text
from .php_fpm import LISTEN_BACKLOG
from .postgresql import BUFFERS_DENOMINATOR, BUFFERS_NUMERATOR, HUGE_PAGES_FROM
from .units import MIB

VM = "https://docs.kernel.org/admin-guide/sysctl/vm.html"
NET = "https://docs.kernel.org/admin-guide/sysctl/net.html"
IP = "https://docs.kernel.org/networking/ip-sysctl.html"
FS = "https://docs.kernel.org/admin-guide/sysctl/fs.html"
TEXTS = {
    "net.core.somaxconn": Text("", 4096, "the longest accept queue that a service asks for", f"{NET}#somaxconn"),
    "net.ipv4.tcp_max_syn_backlog": Text("", 1024, "twice somaxconn", f"{IP}#tcp-variables"),
    "vm.swappiness": Text("", 60, "10; 1 where databases alone would be swapped out", f"{VM}#swappiness"),
    "vm.overcommit_memory": Text(
        "", 0, "1 where Redis forks to write its data, else the kernel's own", "https://valkey.io/topics/admin/"
    ),
    "vm.dirty_background_bytes": Text(
        "bytes", 0, "about a second of what the slowest disk writes", f"{VM}#dirty-background-bytes"
    ),
    "vm.dirty_bytes": Text("bytes", 0, "four times vm.dirty_background_bytes, at most a tenth of memory", f"{VM}#dirty-bytes"),
    "vm.nr_hugepages": Text(
        "",
        0,
        "shared buffers of 8 GiB and more, in huge pages",
        "https://www.postgresql.org/docs/current/kernel-resources.html",
    ),
    "fs.file-max": Text("", "2^63", "the open files of all services", f"{FS}#file-max-file-nr"),
}
# What a disk of this kind surely writes in a second; the slowest of the host decides.
WRITES = {"sd": 10 * MIB, "hdd": 64 * MIB, "ssd": 256 * MIB, "nvme": 512 * MIB}


def kernel_section(host: Capacity, plan: Mapping[str, Any], redis_persists: bool) -> Section:
    """The parameters for the services of ``plan``, which has their values and limits."""
    section = Section("sysctl", TEXTS)
    if not plan["services"]:
        return section
    section.put("net.core.somaxconn", LISTEN_BACKLOG, "php_fpm")
    section.put("net.ipv4.tcp_max_syn_backlog", 2 * LISTEN_BACKLOG, "php_fpm")
    only_databases = not {"nginx", "php_fpm"} & set(plan["services"])
    section.put("vm.swappiness", 1 if only_databases else 10, "services")
    if "redis" in plan["services"]:
        section.put("vm.overcommit_memory", int(redis_persists), "redis")
    _put_dirty(section, host)
    buffers = (plan.get("postgresql") or {}).get("shared_buffers", 0)
    # Rounded down to what is charged, which has the server's own structures in it; a page must be small beside those.
    if buffers >= max(HUGE_PAGES_FROM, 64 * host.huge_page_size):
        pages = buffers * BUFFERS_NUMERATOR // BUFFERS_DENOMINATOR // host.huge_page_size
        section.put("vm.nr_hugepages", pages, "postgresql", huge_page_size=host.huge_page_size)
    files = sum(
        limits["LimitNOFILE"] * (plan["nginx"]["worker_processes"] if unit == "nginx" else 1)
        for unit, limits in plan["limits"].items()
    )
    if 0 < host.file_max < files:
        section.put("fs.file-max", files, "services")
    return section


def _put_dirty(section: Section, host: Capacity) -> None:
    kinds = {disk.kind for disk in host.disks.values()}
    known = [WRITES[kind] for kind in kinds if kind in WRITES]
    if known:
        background = min(min(known), host.memory // 40)
        section.put("vm.dirty_background_bytes", background, "disk", kinds=", ".join(sorted(kinds)))
        section.put("vm.dirty_bytes", 4 * background, "disk", kinds=", ".join(sorted(kinds)))
