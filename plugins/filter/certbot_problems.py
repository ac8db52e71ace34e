# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: certbot_problems
  short_description: Say what is wrong with wanted certificates
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - >-
      Checks the inputs of role P(lemp.stack.certbot#role) on the controller: keys that an entry lacks, names and paths that are
      used twice, and of certificates that were brought along whether the key belongs to them, every domain is covered and the
      end is not near.
    - No sentence holds a key.
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
  positional: _input, lifetime_days, renew_before_days
"""

EXAMPLES = r"""
- name: Show that no certificate may be renewed as soon as it is made
  ansible.builtin.debug:
    msg: "{{ [] | lemp.stack.certbot_problems(30, 30) }}"
"""

RETURN = r"""
  _value:
    description: One sentence per problem; empty where all is well.
    type: list
    elements: str
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._certificate import problems
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


def certbot_problems(certificates: Sequence[Mapping[str, Any]], lifetime_days: int, renew_before_days: int) -> list[str]:
    return problems(certificates, lifetime_days, renew_before_days, datetime.now(timezone.utc))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"certbot_problems": translate_errors(certbot_problems)}
