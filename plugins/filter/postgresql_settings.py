# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: postgresql_settings
  short_description: Sort settings of PostgreSQL by what it takes to change them
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - Writes the plan's values and further settings as the server reads them.
  options:
    _input:
      description: What P(lemp.stack.plan#filter) says about C(postgresql).
      type: dict
      required: true
    explained:
      description: C(explain) of the same plan, which says what is a size.
      type: dict
      required: true
    extra:
      description: The input C(postgresql_extra_settings) of the role; stands above the plan.
      type: dict
      required: true
  positional: _input, explained, extra
"""

EXAMPLES = r"""
- name: Show what takes a restart
  ansible.builtin.debug:
    msg: "{{ {} | lemp.stack.postgresql_settings({}, {'wal_level': 'logical', 'track_io_timing': true}) }}"
"""

RETURN = r"""
  _value:
    description: C(start) and C(reload), each with quoted values by name.
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._postgresql import settings
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgresql_settings": translate_errors(settings)}
