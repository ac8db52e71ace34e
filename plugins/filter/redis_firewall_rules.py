# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: redis_firewall_rules
  short_description: Say which ports instances of Redis or Valkey need open
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - One rule for each instance with a port, as role P(lemp.stack.baseline#role) takes them.
  options:
    _input:
      description: Instances as role P(lemp.stack.redis#role) takes them.
      type: list
      elements: dict
      required: true
    sources:
      description: Networks to let in; none means everybody.
      type: list
      elements: str
      default: []
  positional: _input, sources
"""

EXAMPLES = r"""
- name: Show the rules of two instances, one of them behind a socket alone
  ansible.builtin.debug:
    msg: "{{ [{'name': 'cache'}, {'name': 'queue', 'port': 6380}] | lemp.stack.redis_firewall_rules(['10.0.0.0/24']) }}"
"""

RETURN = r"""
  _value:
    description: Rules with C(name), C(port), C(protocol) and C(sources).
    type: list
    elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._redis import firewall_rules
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"redis_firewall_rules": translate_errors(firewall_rules)}
