# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: memcached_problems
  short_description: Say what is wrong with the inputs of role memcached
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - Checks address, port, sizes and users on the controller, before anything is done to a host.
    - No sentence holds a password.
  options:
    _input:
      description: Inputs of role P(lemp.stack.memcached#role) by name; one that is absent is not judged.
      type: dict
      required: true
    memory_mb:
      description: Memory for items in MiB, as the plan has it; 0 where it is not known.
      type: int
      default: 0
  positional: _input, memory_mb
"""

EXAMPLES = r"""
- name: Show what is wrong with an item that does not fit
  ansible.builtin.debug:
    msg: "{{ {'memcached_max_item_size_mb': 40} | lemp.stack.memcached_problems(64) }}"
"""

RETURN = r"""
  _value:
    description: Sentences, each with variable, value and remedy; none where nothing is wrong.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._memcached import problems
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"memcached_problems": translate_errors(problems)}
