# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: redis_host
  short_description: Say what instances of Redis or Valkey need on a host
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - >-
      Turns instances into directories, files, units and validators as M(lemp.stack.config_tree) takes them. Templates are
      those of role P(lemp.stack.redis#role).
    - Passwords end as hashes in files that are marked as sensitive.
  options:
    _input:
      description: Instances as role P(lemp.stack.redis#role) takes them.
      type: list
      elements: dict
      required: true
    plan:
      description: What P(lemp.stack.plan#filter) returns for these instances.
      type: dict
      required: true
    layout:
      description: The platform's C(user), C(data_dir) and C(binary).
      type: dict
      required: true
    version:
      description: Version of the server, which knows more or less rules for users.
      type: str
      required: true
    existing:
      description: Names of instances that are there already; those that are not in O(_input) are stopped.
      type: list
      elements: str
      default: []
    admin_hash:
      description: SHA-256 of the password by which root comes in.
      type: str
      default: ""
    bind_address:
      description: Address of the instances that have a port.
      type: str
      default: 127.0.0.1
    tls:
      description: Paths C(certificate), C(key) and C(ca); instances with a port speak TLS alone then.
      type: dict
"""

EXAMPLES = r"""
- name: Show the units of two instances
  ansible.builtin.debug:
    msg: >-
      {{ (instances | lemp.stack.redis_host(plan=planned, layout=layout, version='7.0')).units | map(attribute='name') }}
  vars:
    instances: [{name: cache}, {name: queue, use: queue}]
    planned: "{{ {'memtotal_mb': 2048, 'processor_nproc': 2} | lemp.stack.plan({'redis': {'instances': instances}}) }}"
    layout: {user: redis, data_dir: /var/lib/redis, binary: /usr/bin/redis-server}
"""

RETURN = r"""
  _value:
    description: >-
      C(directories), C(files), C(owned), C(units) and C(validators); C(instances), complete and with the C(values) that each
      runs with; C(removed), the names of those that are stopped.
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._redis import host
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"redis_host": translate_errors(host)}
