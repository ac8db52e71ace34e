# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: postgresql_rules
  short_description: Write the lines of pg_hba.conf that let users in
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - Each user comes into its databases from its client hosts, by password (SCRAM-SHA-256).
    - From beyond the host itself that takes TLS; a server without a certificate lets nobody in from there.
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
    tls:
      description: Whether the server has a certificate.
      type: bool
      required: true
  positional: _input, databases, tls
"""

EXAMPLES = r"""
- name: Show who may come into one database
  ansible.builtin.debug:
    msg: "{{ [{'name': 'shop'}] | lemp.stack.postgresql_rules([{'name': 'shop', 'owner': 'shop'}], false) }}"
"""

RETURN = r"""
  _value:
    description: Lines of C(pg_hba.conf) in the order of the inventory.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._postgresql import rules
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgresql_rules": translate_errors(rules)}
