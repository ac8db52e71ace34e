# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: mariadb_queries
  short_description: Write the statements that read the state of a MariaDB server
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - >-
      The statements read what installations leave open, the databases, and for the wanted accounts and roles how they log in
      and what they may do, which databases are to be filled, and with what values the server runs. They change nothing.
    - Their rows hold password hashes; a task that executes them needs C(no_log).
  options:
    _input:
      description: The input C(mariadb_users) of role P(lemp.stack.mariadb#role).
      type: list
      elements: dict
      required: true
    roles:
      description: The input C(mariadb_roles) of the role.
      type: list
      elements: dict
      default: []
      version_added: 0.5.0
    imports:
      description: The input C(mariadb_imports) of the role.
      type: list
      elements: dict
      default: []
      version_added: 0.5.0
    variables:
      description: Server variables whose running values are to be read, a list or a dictionary's keys.
      type: raw
      default: []
      version_added: 0.5.0
  positional: _input, roles, imports, variables
"""

EXAMPLES = r"""
- name: Show the statements for one account
  ansible.builtin.debug:
    msg: "{{ [{'name': 'shop'}] | lemp.stack.mariadb_queries }}"
"""

RETURN = r"""
  _value:
    description: Statements for C(ansible.mariadb.mariadb_query).
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._mariadb_server import queries
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mariadb_queries": translate_errors(queries)}
