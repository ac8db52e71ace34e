# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: redis_drift
  short_description: Compare running instances of Redis or Valkey with their files
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - Somebody may change values and users of a running server, which its files know nothing of.
    - >-
      Servers repeat rules of commands in a form of their own, so that only a server that was given its users anew can say
      whether they were others.
  options:
    _input:
      description: >-
        For each instance a line C(@ NAME), names and values by turns as C(CONFIG GET) says them, a line C(@before NAME) and
        what C(ACL LIST) says, and the same behind C(@after NAME) once users were given anew, or C(@failed NAME).
      type: str
      required: true
    host:
      description: What P(lemp.stack.redis_host#filter) returns.
      type: dict
      required: true
    version:
      description: Version of the server.
      type: str
      required: true
  positional: _input, host, version
"""

EXAMPLES = r"""
- name: Show that an instance does not answer
  ansible.builtin.debug:
    msg: "{{ ('' | lemp.stack.redis_drift({'files': [], 'instances': [{'name': 'cache', 'values': {}}]}, '7.0')).silent }}"
"""

RETURN = r"""
  _value:
    description: >-
      C(values), a text for each value that differs; C(users), names of instances with other users or rights than in their
      files; C(silent), names of instances that said nothing.
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._redis import drift
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"redis_drift": translate_errors(drift)}
