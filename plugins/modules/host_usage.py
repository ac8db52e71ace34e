#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
module: host_usage
short_description: Measure what the services of a host take while they work
version_added: 0.3.0
author: lemp.stack authors
description:
  - >-
    Looks several times at the workers of PHP-FPM and at the control groups of the services, and asks PHP-FPM, OPcache and
    MariaDB what they counted. P(lemp.stack.calibration#filter) makes of it what a plan of memory should be made with.
  - Reads only. To ask OPcache, a script is put into the temporary directory of a pool and removed again.
options:
  samples:
    description: How often workers and control groups are looked at.
    type: int
    default: 10
  interval_seconds:
    description: Seconds between two looks.
    type: float
    default: 3
attributes:
  check_mode:
    description: Measures the same.
    support: full
  diff_mode:
    description: Shows no difference.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
notes:
  - Needs to run as root, who alone may see the memory of other users' processes.
seealso:
  - plugin: lemp.stack.calibration
    plugin_type: filter
  - module: lemp.stack.host_capacity
"""

EXAMPLES = r"""
- name: Measure half a minute of traffic
  lemp.stack.host_usage:
  register: measured

- name: Measure ten minutes of traffic
  lemp.stack.host_usage:
    samples: 60
    interval_seconds: 10
  register: measured

- name: Show what 95 of 100 workers of a pool do not exceed
  ansible.builtin.debug:
    msg: "{{ measured.usage.php_fpm.pools.shop.worker_bytes.p95 // 1048576 }} MB"
"""

RETURN = r"""
usage:
  description: What was measured; what is not known is null.
  returned: success
  type: dict
  contains:
    php_fpm:
      description: Workers and OPcache.
      returned: success
      type: dict
      contains:
        pools:
          description: >-
            By pool the number of C(workers) seen, C(requests) answered meanwhile, C(worker_bytes) (C(median), C(p95) and
            C(max) of the workers, each by the most that its proportional set size was, without the shared memory of OPcache)
            and C(status) since PHP-FPM started (C(accepted_connections), C(max_active_processes), C(max_children_reached),
            C(max_listen_queue)).
          returned: success
          type: dict
        opcache:
          description: >-
            C(used_bytes), C(free_bytes), C(wasted_bytes), C(cached_scripts), C(max_cached_keys), C(oom_restarts) and
            C(hash_restarts); of several versions of PHP the fullest.
          returned: success
          type: dict
    units:
      description: >-
        By unit C(working_bytes) (anonymous and shared memory, which dropping files frees nothing of), C(peak_working_bytes)
        (the most of all looks) and C(memory_max_bytes), the unit's limit.
      returned: success
      type: dict
    mariadb:
      description: C(max_used_connections) since the server started, and C(max_connections).
      returned: success
      type: dict
"""

import signal
import sys
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lemp.stack.plugins.module_utils import _usage
from ansible_collections.lemp.stack.plugins.module_utils._capacity.files import Malformed


def leave(number: int, _frame: Any) -> None:
    sys.exit(128 + number)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "samples": {"type": "int", "default": 10},
            "interval_seconds": {"type": "float", "default": 3},
        },
        supports_check_mode=True,
    )
    samples, interval = module.params["samples"], module.params["interval_seconds"]
    if samples < 1 or not 0 <= interval <= 3600:
        module.fail_json(msg="samples must be at least 1 and interval_seconds from 0 to 3600.")
    # A lost connection ends the module by a signal: the temporary script goes all the same.
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, leave)
    try:
        usage = _usage.measure("/", samples, interval)
    except (Malformed, OSError) as error:
        module.fail_json(msg=f"The host could not be measured: {error}")
    module.exit_json(changed=False, usage=usage)


if __name__ == "__main__":
    main()
