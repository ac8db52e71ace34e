# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: nginx_problems
  short_description: Say what is wrong with wanted nginx servers
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - Checks the inputs C(nginx_servers) and the ports of role P(lemp.stack.nginx#role) on the controller.
  options:
    _input:
      description: The role's input C(nginx_servers).
      type: list
      elements: dict
      required: true
    ports:
      description: The role's inputs that are ports, by their names.
      type: dict
      required: true
  positional: _input, ports
"""

EXAMPLES = r"""
- name: Show that ports must differ
  ansible.builtin.debug:
    msg: "{{ [] | lemp.stack.nginx_problems({'nginx_http_port': 80, 'nginx_https_port': 80}) }}"
"""

RETURN = r"""
  _value:
    description: One sentence per problem; empty where all is well.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._nginx import problems
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"nginx_problems": translate_errors(problems)}
