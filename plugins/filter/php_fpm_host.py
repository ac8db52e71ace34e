# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: php_fpm_host
  short_description: Name what PHP-FPM pools need on a host for M(lemp.stack.config_tree)
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - >-
      The Unix user, state directories, configuration and error log of every pool, and configuration, trees, validator and unit
      of every PHP version.
    - >-
      A version with pools runs and listens on their sockets; a version that loses its pools is stopped before another opens
      them.
  options:
    _input:
      description: The role's input C(php_fpm_pools).
      type: list
      elements: dict
      required: true
    wanted:
      description: Versions that are configured.
      type: list
      elements: str
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
    layout:
      description:
        - >-
          Where a version's parts are, in C(pool_dir), C(ini_dir), C(binary) and C(service); C(%s) stands for the version,
          C(%d) for its digits.
      type: dict
      required: true
    log_dir:
      description: Directory of the pools' logs.
      type: str
      required: true
    log_group:
      description: Group that may read the logs.
      type: str
      required: true
    plan:
      description: >-
        What P(lemp.stack.plan#filter) gave; C(php_fpm) goes into pools, and of C(limits) those of C(php_fpm@<version>) count.
      type: dict
      required: true
"""

EXAMPLES = r"""
- name: Show the units of a host that has two versions and uses one
  ansible.builtin.debug:
    msg: >-
      {{ [{'name': 'shop', 'user': 'shop', 'home': '/srv/www/shop', 'socket': '/run/php-fpm/shop.sock'}]
      | lemp.stack.php_fpm_host(wanted=['8.4'], running=['8.4'], installed=['8.2', '8.4'], default_version='8.4',
      layout=layout, log_dir='/var/log/php-fpm', log_group='adm', plan=ansible_facts | lemp.stack.plan(['php_fpm'])) }}
  vars:
    layout:
      pool_dir: /etc/php/%s/fpm/pool.d
      ini_dir: /etc/php/%s/fpm/conf.d
      binary: php-fpm%s
      service: php%s-fpm.service
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
