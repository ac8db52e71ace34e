# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: postgresql_due
  short_description: Compare a PostgreSQL server with what is wanted of it
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - >-
      Names what has to be done so that the server has the wanted roles, databases, schemas and extensions, and each user
      exactly its rights.
    - Rights are compared both ways, passwords by what the server keeps of them.
  options:
    _input:
      description: What psql printed for the script of P(lemp.stack.postgresql_survey#filter).
      type: str
      required: true
    databases:
      description: The input C(postgresql_databases) of role P(lemp.stack.postgresql#role).
      type: list
      elements: dict
      required: true
    users:
      description: The input C(postgresql_users) of role P(lemp.stack.postgresql#role).
      type: list
      elements: dict
      required: true
    pools:
      description: >-
        C(timeouts.pools) of the plan; a user has the time limits of the pool of its name, else of an ordinary request.
      type: dict
      required: true
    locale:
      description: Locale of new databases that name none.
      type: str
      default: C.UTF-8
    statistics:
      description: Whether database C(postgres) is to have the extension C(pg_stat_statements).
      type: bool
      default: true
  positional: _input, databases, users, pools, locale, statistics
"""

EXAMPLES = r"""
- name: Show that a role is missing
  ansible.builtin.debug:
    msg: "{{ surveyed | lemp.stack.postgresql_due([], [{'name': 'staff', 'login': false}], {}) }}"
  vars:
    surveyed: >-
      {"version": 170000, "settings": {"port": ["5433", null]}, "problems": null, "pending": null, "roles": null,
      "databases": null}
"""

RETURN = r"""
  _value:
    description: >-
      C(script) for psql, which holds what the server is to keep of passwords, and C(report), the same in words and without a
      secret.
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._postgresql_catalog import due
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgresql_due": translate_errors(due)}
