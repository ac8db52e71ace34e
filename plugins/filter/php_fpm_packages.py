# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: php_fpm_packages
  short_description: Name the packages of PHP versions and extensions
  version_added: 0.4.0
  author: lemp.stack authors
  description:
    - Extensions are named as Debian's packages are; where a platform names one otherwise, its layout says so.
  options:
    _input:
      description: Versions such as V(8.4).
      type: list
      elements: str
      required: true
    modules:
      description: What to install of each version, such as V(fpm) and V(mysql).
      type: list
      elements: str
      required: true
    layout:
      description:
        - >-
          What precedes a module's name in C(package), where C(%s) stands for the version and C(%d) for its digits, and in
          C(names) the modules that are named otherwise.
      type: dict
      required: true
  positional: _input, modules, layout
"""

EXAMPLES = r"""
- name: Show php-mysqlnd
  ansible.builtin.debug:
    msg: "{{ ['8.3'] | lemp.stack.php_fpm_packages(['mysql'], {'package': 'php-', 'names': {'mysql': 'mysqlnd'}}) }}"
"""

RETURN = r"""
  _value:
    description: Names of packages, each once.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._php_fpm import packages
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"php_fpm_packages": translate_errors(packages)}
