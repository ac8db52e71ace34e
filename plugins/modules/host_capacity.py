#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
module: host_capacity
short_description: Measure the memory, CPUs and disks that a host really has
version_added: 0.3.0
author: lemp.stack authors
description:
  - >-
    Measures what the services of a host may use: memory and CPUs as limited by control groups (version 1 and 2) and CPU sets,
    page sizes, disks under data directories, and which services are installed. Ordinary facts show the machine instead, inside
    a container too.
  - The result is the fact C(lemp_capacity), which P(lemp.stack.plan#filter) plans with.
options:
  remember:
    description:
      - >-
        Keep the memory that is planned for in C(/var/lib/lemp/memory.json), so that the little by which C(MemTotal) differs
        after a new kernel changes no plan.
      - Where a control group sets the limit, nothing is kept.
    type: bool
    default: false
  data_directories:
    description: Directories whose disks are measured; a missing one counts as its nearest ancestor.
    type: list
    elements: path
    default: [/var/lib/mysql, /var/lib/postgresql, /var/lib/redis, /var/www, /tmp]
attributes:
  check_mode:
    description: Measures the same, writes nothing and reports no change.
    support: full
  diff_mode:
    description: Shows no difference.
    support: none
  idempotent:
    description: Changes nothing but what O(remember) keeps.
    support: full
seealso:
  - plugin: lemp.stack.plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Measure the host
  lemp.stack.host_capacity:

- name: Measure the host before a plan that shall survive new kernels
  lemp.stack.host_capacity:
    remember: true

- name: Show what may be used
  ansible.builtin.debug:
    msg: >-
      {{ ansible_facts.lemp_capacity.memory.bytes // 1048576 }} MB and {{ ansible_facts.lemp_capacity.cpus.effective }} CPUs
"""

RETURN = r"""
ansible_facts:
  description: Facts to add to C(ansible_facts).
  returned: success
  type: dict
  contains:
    lemp_capacity:
      description: Capacity of the host; what is not known is null.
      returned: success
      type: dict
      contains:
        memory:
          description: >-
            C(total_bytes) (MemTotal), C(limit_bytes) and C(limit_source) of the tightest control group, C(bytes) (the smaller
            of both), C(planned_bytes) (the limit, else 99 % of MemTotal in whole MiB, or what O(remember) kept for a MemTotal
            that differs by 1 % at most), and whether the memory C(controller) is on.
          returned: success
          type: dict
        cpus:
          description: >-
            C(online), C(allowed) by CPU sets, C(quota) and C(quota_source), and C(effective), the least of them, fractions
            kept.
          returned: success
          type: dict
        swap_bytes:
          description: Size of all swap.
          returned: success
          type: int
        page_size:
          description: Bytes of a memory page.
          returned: success
          type: int
        huge_page_size:
          description: Bytes of a huge page.
          returned: success
          type: int
        architecture:
          description: Machine architecture, such as C(x86_64) or C(aarch64).
          returned: success
          type: str
        board:
          description: Model of a Raspberry Pi or another board with a device tree.
          returned: success
          type: str
        kernel:
          description: Limits of open files, C(nr_open), C(file_max) and, where a container cannot raise it, C(nofile).
          returned: success
          type: dict
        disks:
          description: >-
            By data directory C(kind) (V(nvme), V(ssd), V(hdd), V(sd), V(tmpfs) or V(unknown)), C(device), C(size_bytes) and
            C(free_bytes).
          returned: success
          type: dict
        services:
          description: Services of this collection that are installed.
          returned: success
          type: list
          elements: str
        versions:
          description: Versions of C(php) and C(postgresql) (lists) and of C(mariadb).
          returned: success
          type: dict
        data:
          description: >-
            Bytes of the tables of C(mariadb) and of the databases of C(postgresql); null where there are none, or too many
            files to count quickly.
          returned: success
          type: dict
        calibration:
          description: What playbook C(calibrate.yml) kept on the host.
          returned: success
          type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lemp.stack.plugins.module_utils._capacity import host
from ansible_collections.lemp.stack.plugins.module_utils._capacity.files import Malformed


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "remember": {"type": "bool", "default": False},
            "data_directories": {"type": "list", "elements": "path", "default": list(host.DATA_DIRECTORIES)},
        },
        supports_check_mode=True,
    )
    changed = False
    try:
        capacity = host.measure("/", module.params["data_directories"])
        memory = capacity["memory"]
        remembered = host.recall("/")
        memory["planned_bytes"] = host.planned_memory(memory, remembered)
        if module.params["remember"] and not module.check_mode and host.is_news(memory, remembered):
            host.remember("/", memory)
            changed = True
    except (Malformed, OSError) as error:
        module.fail_json(msg=f"The host could not be measured: {error}")
    module.exit_json(changed=changed, ansible_facts={"lemp_capacity": capacity})


if __name__ == "__main__":
    main()
