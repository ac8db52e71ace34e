# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: redis_problems
  short_description: Say what is wrong with the inputs of role redis
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - Checks names, users, prefixes, ports and settings on the controller, before anything is done to a host.
    - No sentence holds a password.
  options:
    _input:
      description: Inputs of role P(lemp.stack.redis#role) by name; one that is absent is not judged.
      type: dict
      required: true
"""

EXAMPLES = r"""
- name: Show what is wrong with two instances on one port
  ansible.builtin.debug:
    msg: "{{ {'redis_instances': [{'name': 'a', 'port': 6379}, {'name': 'b', 'port': 6379}]} | lemp.stack.redis_problems }}"
"""

RETURN = r"""
  _value:
    description: Sentences, each with variable, value and remedy; none where nothing is wrong.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._redis import problems
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"redis_problems": translate_errors(problems)}
