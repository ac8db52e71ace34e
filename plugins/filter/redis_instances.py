# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: redis_instances
  short_description: Make instances of Redis from sites
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - >-
      Projects C(lemp_sites) onto the input C(redis_instances) of role P(lemp.stack.redis#role): C(cache) for all sites that use
      Redis, C(session) and C(queue) for those that say so. Each site has an account that reaches keys of its own only. The
      result holds passwords.
  options:
    _input:
      description: The sites of the stack, as described in the collection's README under "The site".
      type: list
      elements: dict
      required: true
    settings:
      description: What is decided by hand, by name of the instance, such as C(maxmemory_mb); 0 and empty values are left out.
      type: dict
      default: {}
  positional: _input, settings
"""

EXAMPLES = r"""
- name: Show the result for one static site
  ansible.builtin.debug:
    msg: "{{ [{'name': 'docs', 'domains': ['docs.example.org'], 'kind': 'static'}] | lemp.stack.redis_instances }}"
- name: Give sessions a size of their own
  ansible.builtin.debug:
    msg: "{{ lemp_sites | lemp.stack.redis_instances({'session': {'maxmemory_mb': 64}}) }}"
"""

RETURN = r"""
  _value:
    description: One instance per use.
    type: list
    elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._projection import redis_instances
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import site_filter


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"redis_instances": site_filter(redis_instances)}
