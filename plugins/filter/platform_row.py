# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: platform_row
  short_description: Take a host's row from a table of platform differences
  version_added: 0.4.0
  author: lemp.stack authors
  description:
    - Merges the rows that hold for a host, from general to specific. A later one replaces values of earlier ones.
    - In this order the names are C(os_family), C(distribution), C(os_family) with major version, C(distribution) with major
      version; for example V(Debian), V(Ubuntu), V(Debian 24), V(Ubuntu 24).
    - Fails where no row holds.
  options:
    _input:
      description:
        - C(ansible_facts) of the host. C(os_family), C(distribution) and C(distribution_major_version) are used.
      type: dict
      required: true
    rows:
      description: Rows by name.
      type: dict
      required: true
  positional: _input, rows
"""

EXAMPLES = r"""
- name: Show the service that listens for ssh
  ansible.builtin.debug:
    msg: "{{ ({'os_family': 'Debian', 'distribution': 'Ubuntu'} | lemp.stack.platform_row(rows)).service }}"
  vars:
    rows:
      Debian: {service: ssh.service, socket: null}
      Ubuntu 24: {socket: ssh.socket}
      RedHat: {service: sshd.service, socket: null}
"""

RETURN = r"""
  _value:
    description: The merged row.
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._platform import platform_row
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"platform_row": translate_errors(platform_row)}
