# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: postgresql_memory
  short_description: Compute the memory settings of PostgreSQL
  version_added: 0.3.0
  author: lemp.stack authors
  extends_documentation_fragment: [lemp.stack._plan_view]
  description:
    - Shared buffers, memory of queries and of maintenance, connections and WAL, beside what else runs on the host.
    - >-
      A view of P(lemp.stack.plan#filter) for those who import one role only: the same plan, the same numbers. Fails where the
      services do not fit on the host.
  options:
    max_connections:
      description: Connections, where you want to decide them.
      type: int
    workload:
      description: C(web), C(oltp) or C(olap).
      type: str
    version:
      description: Major version of the server; settings that need a newer one are left out.
      type: str
"""

EXAMPLES = r"""
- name: Show what PostgreSQL gets beside PHP-FPM
  ansible.builtin.debug:
    msg: "{{ ansible_facts | lemp.stack.postgresql_memory(['php_fpm'], version='17') }}"
"""

RETURN = r"""
  _value:
    description: Server variables by name; sizes in bytes.
    type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors
from ansible_collections.lemp.stack.plugins.plugin_utils._plan import view


def postgresql_memory(facts: Mapping[str, Any], services: Any = None, **inputs: Any) -> dict[str, Any]:
    result: dict[str, Any] = view(facts, "postgresql", services, inputs)["postgresql"]
    return result


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgresql_memory": translate_errors(postgresql_memory)}
