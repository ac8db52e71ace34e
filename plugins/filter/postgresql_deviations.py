# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: postgresql_deviations
  short_description: Name what a PostgreSQL server runs with otherwise than planned
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - Compares running values with those of the plan and of role P(lemp.stack.postgresql#role), and names mistakes in its files.
  options:
    _input:
      description: What psql printed for the script of P(lemp.stack.postgresql_survey#filter).
      type: str
      required: true
    planned:
      description: What P(lemp.stack.plan#filter) says about C(postgresql).
      type: dict
      required: true
    explained:
      description: C(explain) of the same plan, which says what is a size.
      type: dict
      required: true
    wanted:
      description: Further settings by name, as the server shows them.
      type: dict
      required: true
  positional: _input, planned, explained, wanted
"""

EXAMPLES = r"""
- name: Show that a server listens where it should not
  ansible.builtin.debug:
    msg: "{{ surveyed | lemp.stack.postgresql_deviations({}, {}, {'port': 5432}) }}"
  vars:
    surveyed: >-
      {"version": 170000, "settings": {"port": ["5433", null]}, "problems": null, "pending": null, "roles": null,
      "databases": null}
"""

RETURN = r"""
  _value:
    description: One clause per deviation; none where all is as planned.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._postgresql_catalog import deviations
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgresql_deviations": translate_errors(deviations)}
