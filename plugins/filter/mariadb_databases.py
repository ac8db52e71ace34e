# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: mariadb_databases
  short_description: Name the MariaDB databases of sites
  version_added: 0.1.0
  author: lemp.stack authors
  description:
    - >-
      Projects C(lemp_sites) onto the input C(mariadb_databases) of role P(lemp.stack.mariadb#role).
  options:
    _input:
      description: The sites of the stack, as described in the collection's README under "The site".
      type: list
      elements: dict
      required: true
"""

EXAMPLES = r"""
- name: Show the result for one static site
  ansible.builtin.debug:
    msg: "{{ [{'name': 'docs', 'domains': ['docs.example.org'], 'kind': 'static'}] | lemp.stack.mariadb_databases }}"
"""

RETURN = r"""
  _value:
    description: Names of the databases.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._projection import mariadb_databases
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import site_filter


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mariadb_databases": site_filter(mariadb_databases)}
