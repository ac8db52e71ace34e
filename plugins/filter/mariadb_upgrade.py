# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: mariadb_upgrade
  short_description: Tell whether and how a MariaDB server is to be upgraded
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - Compares the versions of packages, server and data directory, and says what stands in the way of an upgrade.
  options:
    _input:
      description: >-
        Lines that say what is on the host, C(Installed: 1:10.11.6-1), C(Candidate: 1:11.8.3-1), C(mariadbd  Ver 10.11.6),
        C(Data: 10.11.6), C(Data bytes: 1), C(Free bytes: 2) and C(Prepared: yes).
      type: str
      required: true
    backup_dir:
      description: The input C(mariadb_backup_dir) of role P(lemp.stack.mariadb#role).
      type: str
      required: true
  positional: _input, backup_dir
"""

EXAMPLES = r"""
- name: Show that data are older than the server
  ansible.builtin.debug:
    msg: "{{ 'Installed: 11.8.3\\nmariadbd  Ver 11.8.3\\nData: 10.11.6' | lemp.stack.mariadb_upgrade('/var/backups') }}"
"""

RETURN = r"""
  _value:
    description: >-
      C(due), whether there is anything to do; C(version) of the packages to install, empty where those that are there stay;
      C(old), their version now; C(problems), sentences that name what stands in the way.
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._mariadb import upgrade
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mariadb_upgrade": translate_errors(upgrade)}
