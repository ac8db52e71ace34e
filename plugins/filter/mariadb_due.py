# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: mariadb_due
  short_description: Compare a MariaDB server with what is wanted of it
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - Names what has to be done so that the server has the wanted databases and accounts, and nothing stands open.
    - Rights are compared both ways, passwords by their hash.
  options:
    _input:
      description: Rows that the statements of P(lemp.stack.mariadb_queries#filter) gave, one list per statement.
      type: list
      elements: list
      required: true
    databases:
      description: The input C(mariadb_databases) of role P(lemp.stack.mariadb#role).
      type: list
      elements: str
      required: true
    users:
      description: The input C(mariadb_users) of the role.
      type: list
      elements: dict
      required: true
    roles:
      description: The input C(mariadb_roles) of the role.
      type: list
      elements: dict
      default: []
      version_added: 0.5.0
    collation:
      description: The input C(mariadb_collation) of the role.
      type: str
      default: utf8mb4_unicode_520_ci
      version_added: 0.5.0
  positional: _input, databases, users, roles, collation
"""

EXAMPLES = r"""
- name: Show that a database is missing
  ansible.builtin.debug:
    msg: "{{ [[], [], [], [], [], [], [], [], [], []] | lemp.stack.mariadb_due(['shop'], []) }}"
"""

RETURN = r"""
  _value:
    description: >-
      Statements in the order in which to execute them, C(statements), C(secrets), which hold hashes of passwords, and
      C(rights), and C(report), all of it in words and without a secret.
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._mariadb_server import due
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mariadb_due": translate_errors(due)}
