#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
module: slow_queries
short_description: Find the statements that cost a host's databases the most time, with their plans
version_added: 0.5.0
author: lemp.stack authors
description:
  - >-
    Asks every MariaDB and PostgreSQL that listens on a Unix socket of the host. MariaDB's slow query log and the files that it
    was rotated to are grouped by C(pt-query-digest) where that is installed, else by the module itself; of PostgreSQL it takes
    C(pg_stat_statements) where that is loaded, else the log of slow statements.
  - >-
    Has the server explain the worst of them, in a read-only transaction and with a time limit. Statements are never executed
    (no C(ANALYZE)). Of MariaDB the slowest execution is explained; of PostgreSQL the plan for any values (C(GENERIC_PLAN), and
    the same by a prepared statement before version 16).
  - >-
    Values are left out of statements and messages, because they may be personal data. Statements of a database whose owner
    wrote functions that planning could run with this module's rights are not explained.
  - Reads only, and leaves no trace in logs and statistics of the servers.
options:
  limit:
    description: Statements of each server.
    type: int
    default: 10
  since_hours:
    description: >-
      How far back logs are read, in hours; V(0) is everything that is kept. C(pg_stat_statements) counts since it was reset.
    type: float
    default: 168
  log_mb:
    description: The most that is read of each server's logs, the newest part, in MB after unpacking.
    type: int
    default: 32
  timeout_seconds:
    description: The most that explaining one statement may take.
    type: int
    default: 5
  show_values:
    description: Return also C(sample), the slowest execution with its values.
    type: bool
    default: false
attributes:
  check_mode:
    description: Reads the same.
    support: full
  diff_mode:
    description: Shows no difference.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
notes:
  - Needs to run as root, whom MariaDB knows over its socket, and who may become C(postgres).
  - Needs Python's C(pymysql) on hosts with MariaDB, as role P(lemp.stack.mariadb#role) installs it.
seealso:
  - plugin: lemp.stack.slow_report
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Find what costs the databases the most
  lemp.stack.slow_queries:
    limit: 5
    since_hours: 24
  register: slow

- name: Show the worst statement of each server
  ansible.builtin.debug:
    msg: "{{ slow.servers | map(attribute='statements') | map('first') | map(attribute='statement') }}"
  when: slow.servers | map(attribute='statements') | select | length == slow.servers | length
"""

RETURN = r"""
servers:
  description: What was found of each server, in the order of their sockets.
  returned: success
  type: list
  elements: dict
  contains:
    engine:
      description: C(mariadb) or C(postgresql).
      returned: success
      type: str
    socket:
      description: The Unix socket that it was asked at.
      returned: success
      type: str
    version:
      description: What the server says of itself; empty if it could not be asked.
      returned: success
      type: str
    source:
      description: Where the statements come from, and who grouped them.
      returned: success
      type: str
    files:
      description: Logs that were read, the newest first.
      returned: success
      type: list
      elements: str
    since:
      description: The beginning of what is counted; empty if that is not known.
      returned: success
      type: str
    executions:
      description: Executions that were counted.
      returned: success
      type: int
    seconds:
      description: The time that these took.
      returned: success
      type: float
    notes:
      description: What was not read or could not be asked, and why, one sentence each.
      returned: success
      type: list
      elements: str
    statements:
      description: >-
        The worst by time in all, each with C(statement) (without values), C(id) (the same for all that differ in values only),
        C(sample) (empty unless O(show_values)), C(database), C(user), C(count), C(seconds), C(slowest_seconds), C(share) (of
        RV(servers[].seconds)), C(rows_examined) and C(rows_sent) (null where not known), C(last), C(plan) (C(columns) and
        C(rows) as the server gives them, or null), C(remarks) on the plan, and C(unexplained) (why there is no plan).
      returned: success
      type: list
      elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lemp.stack.plugins.module_utils import _slow_servers
from ansible_collections.lemp.stack.plugins.module_utils._slow_common import Wanted, since_hours

BOUNDS = {"limit": (1, 1000), "since_hours": (0, 87600), "log_mb": (1, 4096), "timeout_seconds": (1, 600)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "limit": {"type": "int", "default": 10},
            "since_hours": {"type": "float", "default": 168},
            "log_mb": {"type": "int", "default": 32},
            "timeout_seconds": {"type": "int", "default": 5},
            "show_values": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given = module.params
    for name, (least, most) in BOUNDS.items():
        if not least <= given[name] <= most:
            module.fail_json(msg=f"{name} is {given[name]}, but must be from {least} to {most}.")
    wanted = Wanted(
        limit=given["limit"],
        since=since_hours(given["since_hours"]),
        most=given["log_mb"] * 2**20,
        timeout=given["timeout_seconds"],
        values=given["show_values"],
    )
    module.exit_json(changed=False, servers=_slow_servers.servers(wanted))


if __name__ == "__main__":
    main()
