# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: host_services
  short_description: Say which services share a host
  version_added: 0.1.0
  author: lemp.stack authors
  description:
    - >-
      Makes the input of P(lemp.stack.plan#filter) from the sites and the inventory groups of a host. Group C(web) carries
      nginx and PHP-FPM, group C(database) MariaDB and PostgreSQL, group C(cache) Redis and Memcached; of the last four, those
      that the sites name, and MariaDB where no site has a database.
  options:
    _input:
      description: The sites of the stack, as described in the collection's README under "The site".
      type: list
      elements: dict
      required: true
    groups:
      description: Inventory groups of the host, usually C(group_names).
      type: list
      elements: str
      required: true
    host:
      description: What is pinned about the host itself, such as C(memory_mb) and C(cpus) of a container.
      type: dict
      default: {}
    pins:
      description: >-
        What is pinned by hand, by service, as O(lemp.stack.plan#filter:services) takes it; the rest is planned around it. 0 and
        empty values are not pinned, and a service that the host does not have is passed over. For C(redis), by instance.
      type: dict
      default: {}
  positional: _input, groups, host, pins
"""

EXAMPLES = r"""
- name: Show what shares this host
  ansible.builtin.debug:
    msg: "{{ lemp_sites | lemp.stack.host_services(group_names) }}"
"""

RETURN = r"""
  _value:
    description: Service name to the inputs of that service.
    type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils import _projection
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import site_filter


def host_services(
    sites: list[dict[str, Any]],
    groups: list[str],
    host: Mapping[str, Any] | None = None,
    pins: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    return _projection.host_services(sites, groups, host or {}, pins or {})


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"host_services": site_filter(host_services)}
