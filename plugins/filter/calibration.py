# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: calibration
  short_description: Propose inputs of a host's plan from what its services really take
  version_added: 0.3.0
  author: lemp.stack authors
  description:
    - >-
      Compares what M(lemp.stack.host_usage) measured with what P(lemp.stack.plan#filter) assumed. What differs by more than
      10 % is proposed; the rest stays, so that measuring again moves nothing.
    - >-
      A worker is planned with what 95 of 100 workers do not exceed and 10 %, OPcache with what it takes and 20 %. A pool
      without traffic, or of which fewer than two workers were seen, proposes nothing. While sites have no traffic, or after
      OPcache ran full, it is not made smaller.
  options:
    _input:
      description: RV(lemp.stack.host_usage#module:usage).
      type: dict
      required: true
    plan:
      description: What P(lemp.stack.plan#filter) returns for the host.
      type: dict
      required: true
    current:
      description: What an earlier calibration kept on the host, as RV(lemp.stack.host_capacity#module:ansible_facts) has it.
      type: dict
      default: {}
  positional: _input, plan, current
  seealso:
    - plugin: lemp.stack.host_usage
      plugin_type: module
    - plugin: lemp.stack.plan
      plugin_type: filter
"""

EXAMPLES = r"""
- name: Say what the measurement means
  ansible.builtin.debug:
    msg: >-
      {{ ({'php_fpm': {'pools': {'www': {'workers': 4, 'worker_bytes': {'p95': 54525952}}}}}
      | lemp.stack.calibration(ansible_facts | lemp.stack.plan({'php_fpm': {}}), {})).lines }}
"""

RETURN = r"""
  _value:
    description: What to plan with and what to look at.
    type: dict
    contains:
      proposed:
        description: >-
          C(php_fpm) with C(pools) (by name, each with C(worker_memory_mb)), C(opcache_memory_mb) and C(php_files), each only if
          it is news; to be merged with what is kept.
        type: dict
      lines:
        description: What was found, one sentence each.
        type: list
        elements: str
      warnings:
        description: Services that took more than the plan charges for them.
        type: list
        elements: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._calibration import calibrate
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


def calibration(usage: Mapping[str, Any], plan: Mapping[str, Any], current: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return calibrate(usage, plan, current)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"calibration": translate_errors(calibration)}
