# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: certbot_plan
  short_description: Say what role certbot does, or what is wrong with its inputs
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - >-
      Checks the inputs of role P(lemp.stack.certbot#role) on the controller: keys that an entry lacks, names and paths that are
      used twice, and of certificates that were brought along whether the key belongs to them, every domain is covered and the
      end is not near. Then it makes everything that the role's tasks work with.
    - The result holds private keys. No sentence about a problem does.
  options:
    _input:
      description: The role's input C(certbot_certificates).
      type: list
      elements: dict
      required: true
    lifetime_days:
      description: The role's input C(certbot_selfsigned_lifetime_days).
      type: int
      required: true
    renew_before_days:
      description: The role's input C(certbot_renew_before_days).
      type: int
      required: true
    ca_dir:
      description: The role's input C(certbot_ca_dir).
      type: str
      required: true
    units:
      description: The role's input C(certbot_reload_units).
      type: list
      elements: str
      required: true
  positional: _input, lifetime_days, renew_before_days, ca_dir, units
"""

EXAMPLES = r"""
- name: Show that no certificate may be renewed as soon as it is made
  ansible.builtin.debug:
    msg: "{{ [] | lemp.stack.certbot_plan(30, 30, '/etc/ssl/lemp/ca', ['nginx']) }}"
"""

RETURN = r"""
  _value:
    description: >-
      Sentences in C(problems); where there are none, inputs C(directories), C(files) and C(units) of
      M(lemp.stack.config_tree) for certificates that were brought along, C(services) to reload, and in C(requests) the input
      O(lemp.stack.own_ca_info#module:certificates).
    type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._certificate import plan
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


def certbot_plan(
    certificates: Sequence[Mapping[str, Any]], lifetime_days: int, renew_before_days: int, ca_dir: str, units: Sequence[str]
) -> dict[str, Any]:
    return plan(certificates, lifetime_days, renew_before_days, ca_dir, units, datetime.now(timezone.utc))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"certbot_plan": translate_errors(certbot_plan)}
