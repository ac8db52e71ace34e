# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: plan
  short_description: Compute tuned values for all services of a host
  version_added: 0.1.0
  author: lemp.stack authors
  description:
    - >-
      Splits the memory and CPUs of one host over all services that share it. The worst cases of all services and the
      reserve of the operating system never exceed the host's memory. The same inputs always give the same plan.
    - Fails when the services do not fit, naming the shortfall and the cheapest remedies.
  options:
    _input:
      description: The host's C(ansible_facts); C(memtotal_mb) and C(processor_nproc) or C(processor_vcpus) are read.
      type: dict
      required: true
    services:
      description:
        - >-
          Service name (C(nginx), C(php_fpm), C(mariadb)) to the inputs of that service. Inputs are
          C(php_fpm.pools) (a list with C(name), C(worker_memory_mb), C(weight), C(max_children)),
          C(mariadb.innodb_buffer_pool_size_mb) and C(mariadb.max_connections).
        - Key C(host) pins C(memory_mb) and C(cpus) of the host itself.
        - A list of names is accepted too; role names count as the service they set up.
      type: raw
      required: true
    nginx:
      description: Inputs of nginx that outrank those in O(services).
      type: dict
      default: {}
    php_fpm:
      description: Inputs of PHP-FPM that outrank those in O(services).
      type: dict
      default: {}
    mariadb:
      description: Inputs of MariaDB that outrank those in O(services).
      type: dict
      default: {}
  positional: _input, services
"""

EXAMPLES = r"""
- name: Show how many PHP workers fit beside a database
  ansible.builtin.debug:
    msg: "{{ (ansible_facts | lemp.stack.plan(['nginx', 'php_fpm', 'mariadb'])).php_fpm.max_children }}"

- name: Plan for a container of 2 GiB
  ansible.builtin.debug:
    msg: "{{ ansible_facts | lemp.stack.plan({'host': {'memory_mb': 2048, 'cpus': 2}, 'mariadb': {}}) }}"
"""

RETURN = r"""
  _value:
    description:
      - C(budget) and C(services) in bytes, one key per service with its values, and C(explain) with the bound and formula
        of each value.
    type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._plan.budget import make_plan, service_inputs
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


def plan(facts: Mapping[str, Any], services: Any, **overrides: Mapping[str, Any]) -> dict[str, Any]:
    return make_plan(facts, service_inputs(services, overrides))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"plan": translate_errors(plan)}
