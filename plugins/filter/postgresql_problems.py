# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: postgresql_problems
  short_description: Say what is wrong with the inputs of role postgresql
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - Checks names, hosts, rights, numbers and settings on the controller, before anything is done to a host.
    - No sentence holds a password.
  options:
    _input:
      description: Inputs of role P(lemp.stack.postgresql#role) by name; one that is absent is not judged.
      type: dict
      required: true
"""

EXAMPLES = r"""
- name: Show what is wrong with a port
  ansible.builtin.debug:
    msg: "{{ {'postgresql_port': 70000} | lemp.stack.postgresql_problems }}"
"""

RETURN = r"""
  _value:
    description: Sentences, each with variable, value and remedy; none where nothing is wrong.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._postgresql import problems
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgresql_problems": translate_errors(problems)}
