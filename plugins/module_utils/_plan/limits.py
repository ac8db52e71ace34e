# GNU General Public License v3.0+ (see LICENSE)
"""What systemd holds a unit to, from what the plan charges for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .capacity import Capacity
from .model import Infeasible, Text, explanation
from .units import down

LEAST_FILES = 1024

RESOURCE = "https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html"
EXEC = "https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html"
TEXTS = {
    "MemoryMax": Text(
        "bytes", "infinity", "the unit's charge and, for PostgreSQL, the page cache it counts on", f"{RESOURCE}#MemoryMax=bytes"
    ),
    "MemoryHigh": Text(
        "bytes", "infinity", "31/32 of MemoryMax: reclaim before the kernel kills", f"{RESOURCE}#MemoryHigh=bytes"
    ),
    "TasksMax": Text("", "15 % of the kernel's", "twice the processes and threads of the worst case", f"{RESOURCE}#TasksMax=N"),
    "LimitNOFILE": Text("", "1024:524288", "what the daemon asks for, rounded up to a power of two", f"{EXEC}#LimitCPU="),
    "OOMScoreAdjust": Text("", 0, "databases last, PHP workers first: a worker is started anew", f"{EXEC}#OOMScoreAdjust="),
    "OOMPolicy": Text(
        "",
        "stop",
        "the kernel may kill a worker without systemd ending the service",
        "https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#OOMPolicy=",
    ),
    "TimeoutStopSec": Text(
        "seconds",
        90,
        "longer than the daemon itself waits for what runs",
        "https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#TimeoutStopSec=",
    ),
}


def unit_limits(charge: int, host: Capacity, *, files: int, tasks: int, oom_score: int) -> dict[str, Any]:
    """The limits of one unit.

    :param charge: worst case of the unit in bytes.
    :param files: open files that its daemon needs at most.
    :param tasks: processes and threads of its worst case.
    """
    most = down(charge, host.page_size)
    return {
        "MemoryMax": most,
        "MemoryHigh": down(most - most // 32, host.page_size),
        "TasksMax": 2 * tasks + 32,
        "LimitNOFILE": min(host.nofile, max(LEAST_FILES, files)),
        "OOMScoreAdjust": oom_score,
    }


def refuse_too_many_files(service: str, files: int, host: Capacity) -> None:
    """A container that cannot raise its limit of open files may be too small for what was asked of it.

    :param files: what the daemon needs at least.
    :raises Infeasible: it does not get them.
    """
    if files > host.nofile:
        remedy = f"raise the container's limit of open files (ulimit -n) to {files}"
        raise Infeasible(
            f"{service} needs {files} open files, but the host allows {host.nofile} and cannot raise that; {remedy}, or lower "
            "its connections.",
            remedies=[remedy, f"lower the connections of {service}"],
        )


def explain_limits(limits: Mapping[str, Mapping[str, Any]], host: Capacity) -> dict[str, dict[str, Any]]:
    """One explanation per limit; without a memory controller the kernel does not hold units to MemoryMax (I05)."""
    found = {}
    for unit, values in limits.items():
        for key, value in values.items():
            bound = "not enforced" if key.startswith("Memory") and not host.memory_controller else "plan"
            found[f"limits.{unit}.{key}"] = explanation(TEXTS[key], value, bound, {})
    return found


def unit_drop_ins(limits: Mapping[str, Any], unit: str) -> list[dict[str, str]]:
    """The drop-ins of a unit, as module config_tree takes files.

    :param unit: name of the unit with its suffix.
    :returns: ``lemp-start.conf``, which a daemon gets as it starts, and ``lemp-limits.conf``, which systemd applies at once.
    """
    live = {key: value for key, value in limits.items() if key.startswith(("Memory", "Tasks"))}
    start = {key: value for key, value in limits.items() if key not in live}
    return [
        {"dest": f"/etc/systemd/system/{unit}.d/{name}", "content": _drop_in(values)}
        for name, values in (("lemp-start.conf", start), ("lemp-limits.conf", live))
    ]


def _drop_in(values: Mapping[str, Any]) -> str:
    lines = ["# Written by Ansible (lemp.stack); changes made here are lost.", "[Service]"]
    return "\n".join([*lines, *(f"{key}={value}" for key, value in values.items())]) + "\n"
