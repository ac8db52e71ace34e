# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: baseline_firewall_problems
  short_description: Say why the ports of a tier cannot be opened
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - Names what is wrong with the inputs of the entry point C(firewall) of the role baseline.
  options:
    _input:
      description: Name of the tier.
      type: str
      required: true
    rules:
      description: Rules, each with C(name), C(port), C(protocol) and perhaps C(sources).
      type: list
      elements: dict
      required: true
    is_ours:
      description: Whether the ruleset on the host is that of the role.
      type: bool
      required: true
    check_mode:
      description: Whether a ruleset that is not there yet would be there in earnest.
      type: bool
      default: false
    provider:
      description: What filters packets.
      type: str
      choices: [nftables, firewalld]
      default: nftables
  positional: _input, rules, is_ours
"""

EXAMPLES = r"""
- name: Show that a port is none
  ansible.builtin.debug:
    msg: "{{ 'web' | lemp.stack.baseline_firewall_problems([{'name': 'https', 'port': 0, 'protocol': 'tcp'}], true) }}"
"""

RETURN = r"""
  _value:
    description: Sentences, each with variable, value and remedy; none where nothing is wrong.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._baseline import firewall_problems
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"baseline_firewall_problems": translate_errors(firewall_problems)}
