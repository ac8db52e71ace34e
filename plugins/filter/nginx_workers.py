# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: nginx_workers
  short_description: Compute worker processes, connections and open files of nginx
  version_added: 0.3.0
  author: lemp.stack authors
  extends_documentation_fragment: [lemp.stack._plan_view]
  description:
    - One worker per CPU that may be used, and as many connections as memory allows beside what else runs there.
    - >-
      A view of P(lemp.stack.plan#filter) for those who import one role only: the same plan, the same numbers. Fails where the
      services do not fit on the host.
  options:
    worker_processes:
      description: Number of processes, where you want to decide it.
      type: int
    worker_connections:
      description: Connections per process, where you want to decide them.
      type: int
"""

EXAMPLES = r"""
- name: Show what nginx can serve beside PHP-FPM
  ansible.builtin.debug:
    msg: "{{ ansible_facts | lemp.stack.nginx_workers(['php_fpm']) }}"
"""

RETURN = r"""
  _value:
    description: >-
      C(worker_processes), C(worker_connections), C(worker_rlimit_nofile), C(fastcgi_buffers_count) and C(fastcgi_buffer_size)
      in bytes.
    type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors
from ansible_collections.lemp.stack.plugins.plugin_utils._plan import view


def nginx_workers(facts: Mapping[str, Any], services: Any = None, **inputs: Any) -> dict[str, Any]:
    result: dict[str, Any] = view(facts, "nginx", services, inputs)["nginx"]
    return result


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"nginx_workers": translate_errors(nginx_workers)}
