# GNU General Public License v3.0+ (see LICENSE)
"""What every filter takes that shows one part of the plan."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  _input:
    description: >-
      The host's C(ansible_facts), best after M(lemp.stack.host_capacity), which knows the limits of containers.
    type: dict
    required: true
  services:
    description: >-
      What else shares the host, as O(lemp.stack.plan#filter:services): names, or names with their inputs. Beside a list of
      names, what is installed counts too.
    type: raw
    default: []
"""
