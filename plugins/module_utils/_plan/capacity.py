# GNU General Public License v3.0+ (see LICENSE)
"""What a host has, and what of it stays with the operating system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MIB = 2**20

# Share of each slice of memory kept for the operating system: Google Kubernetes Engine, "Plan node sizes", reserved memory.
RESERVE_LADDER = ((4096, 0.25), (4096, 0.20), (8192, 0.10), (114688, 0.06))
RESERVE_ABOVE_LADDER = 0.02
# Beyond any host; keeps infinity out.
LARGEST = 2**40

RESERVE_BELOW_1GIB = 255 * MIB


@dataclass(frozen=True)
class Capacity:
    """Memory in bytes and whole CPUs that services may use together."""

    memory: int
    cpus: int

    @property
    def reserve(self) -> int:
        """Bytes that stay with the operating system (GKE ladder; 255 MiB below 1 GiB, never more than half)."""
        if self.memory < 1024 * MIB:
            return min(RESERVE_BELOW_1GIB, self.memory // 2)
        reserve = 0.0
        rest = self.memory / MIB
        for size, share in RESERVE_LADDER:
            reserve += min(rest, size) * share
            rest = max(0.0, rest - size)
        return int((reserve + rest * RESERVE_ABOVE_LADDER) * MIB)


def read_capacity(facts: Mapping[str, Any], pins: Mapping[str, Any]) -> Capacity:
    """Read the host's size from Ansible facts; ``memory_mb`` and ``cpus`` in ``pins`` outrank what was measured.

    :raises ValueError: neither facts nor pins tell the size.
    """
    memory_mb = pins.get("memory_mb", facts.get("memtotal_mb"))
    cpus = pins.get("cpus", facts.get("processor_nproc", facts.get("processor_vcpus")))
    for name, value in (("memory_mb", memory_mb), ("cpus", cpus)):
        if value is None:
            raise ValueError(f"the host's {name} is unknown: gather facts before the plan, or set lemp_host.{name}.")
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value < LARGEST:
            raise ValueError(f"lemp_host.{name} is {value!r}, but must be a number of at least 1.")
    return Capacity(memory=int(memory_mb) * MIB, cpus=int(cpus))
