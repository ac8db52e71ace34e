# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: app_gone_timers
  short_description: Name the timers of sites that left
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - Names the timers whose instance file is among the changed ones, and whose site is none of the wanted.
  options:
    _input:
      description: What C(changed_files) of M(lemp.stack.config_tree) returned.
      type: list
      elements: str
      required: true
    sites:
      description: The input C(app_sites) of role P(lemp.stack.app#role).
      type: list
      elements: dict
      required: true
  positional: _input, sites
"""

EXAMPLES = r"""
- name: Show the timer of a site that left
  ansible.builtin.debug:
    msg: "{{ ['/etc/lemp/wordpress-shop.conf'] | lemp.stack.app_gone_timers([]) }}"
"""

RETURN = r"""
  _value:
    description: Names of timer units.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._app import gone_timers
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"app_gone_timers": translate_errors(gone_timers)}
