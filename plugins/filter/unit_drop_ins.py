# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: unit_drop_ins
  short_description: Write the limits of a systemd unit as files for M(lemp.stack.config_tree)
  version_added: 0.3.0
  author: lemp.stack authors
  description:
    - Turns one entry of C(limits) of P(lemp.stack.plan#filter) into drop-ins of a unit.
    - >-
      C(lemp-limits.conf) holds what systemd applies at once when it reads its files anew (memory and tasks),
      C(lemp-start.conf) what a daemon gets as it starts.
  options:
    _input:
      description: Directives of the unit and their values; sizes in bytes.
      type: dict
      required: true
    unit:
      description: Name of the unit with its suffix.
      type: str
      required: true
  positional: _input, unit
"""

EXAMPLES = r"""
- name: Show the drop-ins of nginx
  ansible.builtin.debug:
    msg: >-
      {{ (ansible_facts | lemp.stack.plan(['nginx'])).limits.nginx | lemp.stack.unit_drop_ins('nginx.service') }}
"""

RETURN = r"""
  _value:
    description: Two files, each with C(dest) and C(content).
    type: list
    elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._plan.limits import unit_drop_ins
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unit_drop_ins": translate_errors(unit_drop_ins)}
