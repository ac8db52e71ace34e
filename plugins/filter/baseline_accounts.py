# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: baseline_accounts
  short_description: Describe administrators so that a host can be compared with them
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - Completes items of C(baseline_admins) for the survey that the role baseline takes of a host.
    - Instead of a password's hash the result holds a digest of it, which tells nothing.
  options:
    _input:
      description: Items of C(baseline_admins).
      type: list
      elements: dict
      required: true
"""

EXAMPLES = r"""
- name: Show an account
  ansible.builtin.debug:
    msg: "{{ [{'name': 'anna', 'keys': ['ssh-ed25519 AAAA... anna@laptop']}] | lemp.stack.baseline_accounts }}"
"""

RETURN = r"""
  _value:
    description: Accounts, each with C(name), C(state), C(shell), C(keys) and C(password_sha256).
    type: list
    elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._baseline import accounts
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"baseline_accounts": translate_errors(accounts)}
