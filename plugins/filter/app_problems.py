# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: app_problems
  short_description: Say what is wrong with the sites of role app
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - >-
      Checks the input of role P(lemp.stack.app#role): what a recipe needs, names and paths that cannot be used or are used
      twice, and document roots that have to be there.
    - No sentence holds a password.
  options:
    _input:
      description: The role's input C(app_sites).
      type: list
      elements: dict
      required: true
    present:
      description: Those of the paths of P(lemp.stack.app_probes#filter) that are on the host.
      type: list
      elements: str
      required: true
  positional: _input, present
"""

EXAMPLES = r"""
- name: Show that an existing application needs its directory
  ansible.builtin.debug:
    msg: "{{ [{'name': 'crm', 'recipe': 'php', 'user': 'crm', 'domain': 'crm.example.org', 'home': '/srv/www/crm',
      'root': '/srv/crm/public'}] | lemp.stack.app_problems([]) }}"
"""

RETURN = r"""
  _value:
    description: One sentence per problem; empty where all is well.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._app import problems
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"app_problems": translate_errors(problems)}
