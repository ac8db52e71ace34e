# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: redis_memory
  short_description: Compute the memory and clients of Redis or Valkey
  version_added: 0.3.0
  author: lemp.stack authors
  extends_documentation_fragment: [lemp.stack._plan_view]
  description:
    - What may be kept in memory beside what else runs on the host; half where it is also written to disk.
    - >-
      A view of P(lemp.stack.plan#filter) for those who import one role only: the same plan, the same numbers. Fails where the
      services do not fit on the host.
  options:
    use:
      description: >-
        C(cache), C(session) or C(queue); decides what gives way when memory is full, and whether data is written to disk.
      type: str
    persistent:
      description: Whether data is written to disk.
      type: bool
    maxmemory_mb:
      description: Memory for data in MiB, where you want to decide it.
      type: int
"""

EXAMPLES = r"""
- name: Show how much an object cache may hold beside PHP-FPM and MariaDB
  ansible.builtin.debug:
    msg: "{{ ansible_facts | lemp.stack.redis_memory(['php_fpm', 'mariadb'], use='cache') }}"
"""

RETURN = r"""
  _value:
    description: C(maxmemory) in bytes, C(maxmemory_policy), C(maxclients) and C(tcp_backlog).
    type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors
from ansible_collections.lemp.stack.plugins.plugin_utils._plan import view


def redis_memory(facts: Mapping[str, Any], services: Any = None, **inputs: Any) -> dict[str, Any]:
    # A host of several instances is for filter plan; a pinned input beside them is refused there.
    result: dict[str, Any] = next(iter(view(facts, "redis", services, inputs)["redis"]["instances"].values()))
    return result


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"redis_memory": translate_errors(redis_memory)}
