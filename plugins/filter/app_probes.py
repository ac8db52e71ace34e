# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: app_probes
  short_description: Name what role app has to look for on a host
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - Names document roots that have to be there, and marks that say which archive was unpacked.
    - A path that ends in C(/.) is there only if it is a directory.
  options:
    _input:
      description: The input C(app_sites) of role P(lemp.stack.app#role).
      type: list
      elements: dict
      required: true
"""

EXAMPLES = r"""
- name: Show what to look for where an existing application is served
  ansible.builtin.debug:
    msg: "{{ [{'name': 'crm', 'recipe': 'php', 'root': '/srv/crm/public'}] | lemp.stack.app_probes }}"
"""

RETURN = r"""
  _value:
    description: Paths.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._app import probes
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"app_probes": translate_errors(probes)}
