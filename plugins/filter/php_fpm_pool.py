# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: php_fpm_pool
  short_description: Compute the workers of one PHP-FPM pool
  version_added: 0.3.0
  author: lemp.stack authors
  extends_documentation_fragment: [lemp.stack._plan_view]
  description:
    - How many workers of an application fit on the host beside what else runs there, and how many to keep spare.
    - >-
      A view of P(lemp.stack.plan#filter) for those who import one role only: the same plan, the same numbers. Fails where the
      services do not fit on the host.
  options:
    application:
      description: >-
        What the pool runs (C(php), C(wordpress), C(woocommerce), C(nextcloud), C(laravel), C(symfony), C(drupal), C(magento));
        decides the memory of a worker unless O(worker_memory_mb) does.
      type: str
    worker_memory_mb:
      description: Private memory of one worker in MiB.
      type: int
    max_children:
      description: Number of workers, where you want to decide it.
      type: int
"""

EXAMPLES = r"""
- name: Show how many WordPress workers fit beside nginx and MariaDB
  ansible.builtin.debug:
    msg: "{{ ansible_facts | lemp.stack.php_fpm_pool(['nginx', 'mariadb'], application='wordpress') }}"
"""

RETURN = r"""
  _value:
    description: C(pm), C(max_children), C(worker_memory_mb) and, for C(pm=dynamic), the spare servers.
    type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors
from ansible_collections.lemp.stack.plugins.plugin_utils._plan import view


def php_fpm_pool(facts: Mapping[str, Any], services: Any = None, **inputs: Any) -> dict[str, Any]:
    pools = view(facts, "php_fpm", services, {"pools": [{**inputs, "name": "www"}]})["php_fpm"]["pools"]
    result: dict[str, Any] = pools["www"]
    return result


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"php_fpm_pool": translate_errors(php_fpm_pool)}
