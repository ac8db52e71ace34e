# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: innodb_buffer_pool
  short_description: Compute the size of the InnoDB buffer pool
  version_added: 0.3.0
  author: lemp.stack authors
  extends_documentation_fragment: [lemp.stack._plan_view]
  description:
    - What MariaDB may give to its cache after all connections, and after what else runs on the host, had their share.
    - >-
      A view of P(lemp.stack.plan#filter) for those who import one role only: the same plan, the same numbers. Fails where the
      services do not fit on the host.
  options:
    max_connections:
      description: Connections, where you want to decide them.
      type: int
    data_size_mb:
      description: Size of tables and indexes in MiB; a larger pool would be of no use.
      type: int
"""

EXAMPLES = r"""
- name: Show the buffer pool of a host that runs the whole stack, as MariaDB reads it
  ansible.builtin.debug:
    msg: "{{ ansible_facts | lemp.stack.innodb_buffer_pool(['nginx', 'php_fpm']) | lemp.stack.format_size('mariadb') }}"
"""

RETURN = r"""
  _value:
    description: C(innodb_buffer_pool_size) in bytes.
    type: int
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors
from ansible_collections.lemp.stack.plugins.plugin_utils._plan import view


def innodb_buffer_pool(facts: Mapping[str, Any], services: Any = None, **inputs: Any) -> int:
    return int(view(facts, "mariadb", services, inputs)["mariadb"]["innodb_buffer_pool_size"])


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"innodb_buffer_pool": translate_errors(innodb_buffer_pool)}
