# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: php_fpm_pools
  short_description: Make PHP-FPM pools from sites
  version_added: 0.1.0
  author: lemp.stack authors
  description:
    - >-
      Projects C(lemp_sites) onto the input C(php_fpm_pools) of role P(lemp.stack.php_fpm#role). The result holds passwords
      where a site has its sessions in Redis or asks for environment variables.
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
    msg: "{{ [{'name': 'docs', 'domains': ['docs.example.org'], 'kind': 'static'}] | lemp.stack.php_fpm_pools }}"
"""

RETURN = r"""
  _value:
    description: One pool per PHP site.
    type: list
    elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._projection import php_fpm_pools
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import site_filter


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"php_fpm_pools": site_filter(php_fpm_pools)}
