# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: postgresql_survey
  short_description: Write the script that reads the state of a PostgreSQL server
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - >-
      The script of psql prints one JSON document for the cluster and one for each wanted database that exists. It changes
      nothing.
    - The first document holds what the server keeps of passwords; a task that runs the script needs C(no_log).
  options:
    _input:
      description: The input C(postgresql_users) of role P(lemp.stack.postgresql#role).
      type: list
      elements: dict
      required: true
    databases:
      description: The input C(postgresql_databases) of role P(lemp.stack.postgresql#role).
      type: list
      elements: dict
      required: true
    planned:
      description: Names of settings to look at.
      type: list
      elements: str
      default: []
    statistics:
      description: Whether database C(postgres) is to have the extension C(pg_stat_statements).
      type: bool
      default: true
  positional: _input, databases, planned, statistics
"""

EXAMPLES = r"""
- name: Show the script for one user and one database
  ansible.builtin.debug:
    msg: "{{ [{'name': 'shop'}] | lemp.stack.postgresql_survey([{'name': 'shop', 'owner': 'shop'}]) }}"
"""

RETURN = r"""
  _value:
    description: The script.
    type: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._postgresql_catalog import survey
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgresql_survey": translate_errors(survey)}
