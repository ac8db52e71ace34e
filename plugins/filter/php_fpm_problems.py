# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: php_fpm_problems
  short_description: Say what is wrong with wanted PHP-FPM pools
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - Checks the inputs C(php_fpm_pools) and C(php_fpm_package_source) of role P(lemp.stack.php_fpm#role) on the controller.
  options:
    _input:
      description: The role's input C(php_fpm_pools).
      type: list
      elements: dict
      required: true
    source:
      description: The role's input C(php_fpm_package_source).
      type: str
      required: true
    sources:
      description: Package sources that the platform has.
      type: list
      elements: str
      required: true
  positional: _input, source, sources
"""

EXAMPLES = r"""
- name: Show that a socket must lie in its directory
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'shop', 'user': 'shop', 'socket': '/tmp/shop.sock'}]
      | lemp.stack.php_fpm_problems('distribution', ['distribution', 'remi']) }}
"""

RETURN = r"""
  _value:
    description: One sentence per problem; empty where all is well.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._php_fpm import problems
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"php_fpm_problems": translate_errors(problems)}
