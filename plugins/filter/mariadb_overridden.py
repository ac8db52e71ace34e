# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: mariadb_overridden
  short_description: Name settings that a MariaDB server runs with otherwise than planned
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - Compares running values with those of the plan and of role P(lemp.stack.mariadb#role).
  options:
    _input:
      description: Rows that the statements of P(lemp.stack.mariadb_queries#filter) gave, one list per statement.
      type: list
      elements: list
      required: true
    wanted:
      description: Value by variable, sizes in bytes. Those that the statements did not ask for are left out.
      type: dict
      required: true
  positional: _input, wanted
"""

EXAMPLES = r"""
- name: Show that a server listens where it should not
  ansible.builtin.debug:
    msg: >-
      {{ [[{'name': 'bind_address', 'value': '0.0.0.0'}]] | lemp.stack.mariadb_overridden({'bind_address': '127.0.0.1'}) }}
"""

RETURN = r"""
  _value:
    description: One clause per setting; none where all run as planned.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._mariadb_server import overridden
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mariadb_overridden": translate_errors(overridden)}
