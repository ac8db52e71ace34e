# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: app_sites
  short_description: Say what runs on each site
  version_added: 0.1.0
  author: lemp.stack authors
  description:
    - >-
      Projects C(lemp_sites) onto the input C(app_sites) of role P(lemp.stack.app#role). The result holds passwords.
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
    msg: "{{ [{'name': 'docs', 'domains': ['docs.example.org'], 'kind': 'static'}] | lemp.stack.app_sites }}"
"""

RETURN = r"""
  _value:
    description: One entry per site that has files of its own.
    type: list
    elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._projection import app_sites
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import site_filter


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"app_sites": site_filter(app_sites)}
