# GNU General Public License v3.0+ (see LICENSE)
"""The row of a role's platform table that holds for a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def platform_row(facts: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the rows that hold for a host, from general to specific.

    :param facts: ``ansible_facts``; ``os_family``, ``distribution`` and ``distribution_major_version`` are used.
    :param rows: rows by ``os_family``, ``distribution``, or one of them with a major version (``RedHat 10``).
    :returns: the merged row. A value that is a mapping is replaced as a whole.
    :raises ValueError: facts were not gathered, or no row holds.
    """
    if "os_family" not in facts:
        raise ValueError("ansible_facts has no os_family; let the play gather facts, or gather the subset 'min'")
    family, distribution = facts["os_family"], facts.get("distribution", facts["os_family"])
    major = facts.get("distribution_major_version", "")
    names = dict.fromkeys([family, distribution, f"{family} {major}", f"{distribution} {major}"])
    found = [rows[name] for name in names if name in rows]
    if not found:
        raise ValueError(
            f"ansible_facts says that this host is {distribution} {major} of the family {family}, which this role does not "
            f"know; use a host of {', '.join(sorted({name.split()[0] for name in rows}))}, or take the host out of the play"
        )
    merged: dict[str, Any] = {}
    for row in found:
        merged.update(row)
    return merged
