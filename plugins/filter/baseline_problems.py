# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: baseline_problems
  short_description: Say why the role baseline cannot do what its inputs ask for
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - Names what would lock out the user whom Ansible connects as, what does not fit on the host, and values that cannot be.
  options:
    _input:
      description: >-
        Inputs of the role by name, whether it keeps the clock (C(has_time_sync)), whether it would make the swap file
        (C(makes_swap)), and what installs updates (C(updates)).
      type: dict
      required: true
    survey:
      description: What the role's survey found on the host.
      type: dict
      required: true
  positional: _input, survey
"""

EXAMPLES = r"""
- name: Show what is wrong with a time
  ansible.builtin.debug:
    msg: "{{ {'baseline_updates_reboot_time': '25:00'} | lemp.stack.baseline_problems({}) }}"
"""

RETURN = r"""
  _value:
    description: Sentences, each with variable, value and remedy; none where nothing is wrong.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._baseline import problems
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"baseline_problems": translate_errors(problems)}
