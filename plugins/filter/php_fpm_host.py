# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: php_fpm_host
  short_description: Name what PHP-FPM pools need on a host for M(lemp.stack.config_tree)
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - The Unix user, state directories and error log of every pool, and one tree, validator and unit per PHP version.
    - >-
      A version with pools runs and listens on their sockets; a version that loses its pools is stopped before another opens
      them.
  options:
    _input:
      description: The role's input C(php_fpm_pools).
      type: list
      elements: dict
      required: true
    running:
      description: Versions that have to run.
      type: list
      elements: str
      required: true
    installed:
      description: Versions that are installed.
      type: list
      elements: str
      required: true
    default_version:
      description: Version of pools that name none.
      type: str
      required: true
    service:
      description: Name of a version's unit; C(%s) stands for the version.
      type: str
      required: true
    config_dir:
      description: Directory of a version's configuration; C(%s) stands for the version.
      type: str
      required: true
    binary:
      description: Program of a version; C(%s) stands for the version.
      type: str
      required: true
    log_group:
      description: Group that may read the logs.
      type: str
      required: true
    limits:
      description: C(limits) of P(lemp.stack.plan#filter), of which those named C(php_fpm@<version>) count.
      type: dict
      required: true
"""

EXAMPLES = r"""
- name: Show the units of a host that has two versions and uses one
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'shop', 'user': 'shop', 'home': '/srv/www/shop', 'socket': '/run/php-fpm/shop.sock'}]
      | lemp.stack.php_fpm_host(running=['8.4'], installed=['8.2', '8.4'], default_version='8.4',
      service='php%s-fpm.service', config_dir='/etc/php/%s/fpm', binary='php-fpm%s', log_group='adm', limits={}) }}
"""

RETURN = r"""
  _value:
    description: C(users), C(directories), C(files), C(trees), C(validators) and C(units) as the module takes them.
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._php_fpm import host
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"php_fpm_host": translate_errors(host)}
