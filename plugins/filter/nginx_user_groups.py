# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: nginx_user_groups
  short_description: Name the groups that let nginx read the files of sites
  version_added: 0.1.0
  author: lemp.stack authors
  description:
    - >-
      Projects C(lemp_sites) onto the input C(nginx_user_groups) of role P(lemp.stack.nginx#role).
  options:
    _input:
      description: The sites of the stack, as described in the collection's README under "The site".
      type: list
      elements: dict
      required: true
"""

EXAMPLES = r"""
- name: Show the result for one static site
  ansible.builtin.debug:
    msg: "{{ [{'name': 'docs', 'domains': ['docs.example.org'], 'kind': 'static'}] | lemp.stack.nginx_user_groups }}"
"""

RETURN = r"""
  _value:
    description: One Unix group per site that has files of its own.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._projection import nginx_user_groups
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import site_filter


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"nginx_user_groups": site_filter(nginx_user_groups)}
