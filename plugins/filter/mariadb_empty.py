# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: mariadb_empty
  short_description: Choose the dumps whose MariaDB databases are empty
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - A database that holds tables or routines is somebody's data, into which no dump is read.
  options:
    _input:
      description: Rows that the statements of P(lemp.stack.mariadb_queries#filter) gave, one list per statement.
      type: list
      elements: list
      required: true
    imports:
      description: The input C(mariadb_imports) of role P(lemp.stack.mariadb#role).
      type: list
      elements: dict
      required: true
  positional: _input, imports
"""

EXAMPLES = r"""
- name: Show that the shop is still to be filled
  ansible.builtin.debug:
    msg: "{{ [[{'name': 'blog'}], []] | lemp.stack.mariadb_empty([{'database': 'shop', 'path': 'shop.sql'}]) }}"
"""

RETURN = r"""
  _value:
    description: Items of the input whose database holds nothing.
    type: list
    elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._mariadb_server import empty_databases
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mariadb_empty": translate_errors(empty_databases)}
