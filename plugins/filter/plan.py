# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: plan
  short_description: Compute tuned values for all services of a host
  version_added: 0.1.0
  author: lemp.stack authors
  description:
    - >-
      Splits the memory and CPUs of one host over all services that share it. The worst cases of all services and the
      reserve of the operating system never exceed the host's memory. The same inputs always give the same plan.
    - Fails when the services do not fit, naming the shortfall and the cheapest remedies.
  options:
    _input:
      description:
        - >-
          The host's C(ansible_facts). What M(lemp.stack.host_capacity) measured (C(lemp_capacity)) outranks C(memtotal_mb) and
          C(processor_nproc) or C(processor_vcpus), which know nothing of the limits of a container.
      type: dict
      required: true
    services:
      description:
        - >-
          Service name (C(nginx), C(php_fpm), C(mariadb), C(postgresql), C(redis), C(memcached)) to the inputs of that service,
          taken as it is. What is set there is planned around.
        - >-
          A list of names is accepted too; role names count as the service they set up, and what
          M(lemp.stack.host_capacity) found installed counts beside them.
        - >-
          C(host) pins what was measured: C(memory_mb), C(cpus), C(page_size), C(reserve_mb), C(disk) (C(nvme), C(ssd), C(hdd),
          C(sd)), C(disk_gb), C(architecture), and C(profile): C(balanced) (default), C(cpu) (4 PHP workers per CPU instead of
          8), C(io) (16) or C(database) (4, and most memory for the database).
        - >-
          C(nginx): C(worker_processes), C(worker_connections), C(worker_rlimit_nofile).
        - >-
          C(php_fpm): C(pools), a list with C(name), C(application), C(worker_memory_mb), C(weight), C(max_children),
          C(version), C(max_execution_time_seconds) and C(request_terminate_timeout_seconds); C(opcache_memory_mb),
          C(opcache_interned_strings_mb), C(opcache_max_files), C(jit_buffer_mb).
        - >-
          C(mariadb): C(innodb_buffer_pool_size_mb), C(innodb_log_file_size_mb), C(max_connections), C(extra_clients) (beside
          PHP workers), C(table_open_cache), C(tmp_table_size_mb), C(max_heap_table_size_mb), C(sort_buffer_size_kb),
          C(join_buffer_size_kb), C(read_buffer_size_kb), C(read_rnd_buffer_size_kb), C(thread_stack_kb),
          C(binlog_cache_size_kb), C(performance_schema), C(data_size_mb), C(version).
        - >-
          C(postgresql): C(shared_buffers_mb), C(work_mem_kb), C(max_connections), C(extra_clients), C(pooled_databases) (how
          many PgBouncer offers), C(pooled_workers) (no PHP worker comes to the server itself), C(pool_size), C(workload)
          (C(web), C(oltp), C(olap)), C(version).
        - >-
          C(redis): C(instances), a list with C(name), C(use) (C(cache), C(session), C(queue)), C(maxmemory_mb), C(maxclients),
          C(extra_clients) and C(persistent); or these without a list for one instance, which is named C(cache).
        - >-
          C(memcached): C(memory_mb), C(max_connections), C(extra_clients).
      type: raw
      required: true
    nginx:
      description: Inputs of nginx that outrank those in O(services); 0 and empty ones do not.
      type: dict
      default: {}
    php_fpm:
      description: Inputs of PHP-FPM that outrank those in O(services); 0 and empty ones do not.
      type: dict
      default: {}
    mariadb:
      description: Inputs of MariaDB that outrank those in O(services); 0 and empty ones do not.
      type: dict
      default: {}
    postgresql:
      description: Inputs of PostgreSQL that outrank those in O(services); 0 and empty ones do not.
      type: dict
      default: {}
    redis:
      description: Inputs of Redis that outrank those in O(services); 0 and empty ones do not.
      type: dict
      default: {}
    memcached:
      description: Inputs of Memcached that outrank those in O(services); 0 and empty ones do not.
      type: dict
      default: {}
  positional: _input, services
"""

EXAMPLES = r"""
- name: Show how many PHP workers fit beside a database
  ansible.builtin.debug:
    msg: "{{ (ansible_facts | lemp.stack.plan(['nginx', 'php_fpm', 'mariadb'])).php_fpm.max_children }}"

- name: Plan for a container of 2 GiB
  ansible.builtin.debug:
    msg: "{{ ansible_facts | lemp.stack.plan({'host': {'memory_mb': 2048, 'cpus': 2}, 'mariadb': {}}) }}"
"""

RETURN = r"""
  _value:
    description:
      - C(feasible), always true; a plan that does not fit is an error.
      - >-
        C(host), what was planned for; C(budget) with C(total), C(reserve), C(available), C(charged) and C(page_cache) in bytes;
        C(services), each with its worst case C(charge) in bytes and the C(parts) of it.
      - >-
        One key per service, C(opcache) and, with pooled databases, C(pgbouncer), with the values, named as the daemon names
        them, in bytes unless the name says otherwise; C(sysctl); C(limits) of each systemd unit; C(timeouts) of each pool in
        seconds.
      - >-
        C(explain), for each value C(value), C(unit), C(bound) (what decided it), C(formula), C(inputs), C(source) and
        C(default) (what the distribution ships); C(warnings).
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors
from ansible_collections.lemp.stack.plugins.plugin_utils._plan import plan


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"plan": translate_errors(plan)}
