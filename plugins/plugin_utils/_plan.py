# GNU General Public License v3.0+ (see LICENSE)
"""What the filters that show one part of the plan share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import make_plan, service_inputs


def plan(facts: Mapping[str, Any], services: Any, **overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The plan of a host; a list of names counts beside what is installed there."""
    installed = (facts.get("lemp_capacity") or {}).get("services") or []
    return make_plan(facts, service_inputs(services, overrides, installed))


def view(facts: Mapping[str, Any], service: str, services: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The plan of a host on which ``service`` runs with these inputs beside ``services``."""
    return plan(facts, [] if services is None else services, **{service: inputs})
