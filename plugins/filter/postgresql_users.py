# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: postgresql_users
  short_description: Make PostgreSQL accounts from sites
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - >-
      Projects C(lemp_sites) onto the input C(postgresql_users) of role P(lemp.stack.postgresql#role). Each account may
      connect to the database of its own site only. The result holds passwords.
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
    msg: "{{ [{'name': 'docs', 'domains': ['docs.example.org'], 'kind': 'static'}] | lemp.stack.postgresql_users }}"
"""

RETURN = r"""
  _value:
    description: One account per site.
    type: list
    elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._projection import postgresql_users
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import site_filter


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgresql_users": site_filter(postgresql_users)}
