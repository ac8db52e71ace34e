# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: certbot_tree
  short_description: Say which directories, files and units certificates need
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - >-
      Makes inputs of M(lemp.stack.config_tree): the directories of all certificates, and for those that were brought along
      their files and the units that read them. The result holds private keys.
  options:
    _input:
      description: The input C(certbot_certificates) of role P(lemp.stack.certbot#role).
      type: list
      elements: dict
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
  positional: _input, ca_dir, units
"""

EXAMPLES = r"""
- name: Show the directories of no certificate at all
  ansible.builtin.debug:
    msg: "{{ [] | lemp.stack.certbot_tree('/etc/ssl/lemp/ca', ['nginx']) }}"
"""

RETURN = r"""
  _value:
    description: Lists C(directories), C(files) and C(units).
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._certificate import tree
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"certbot_tree": translate_errors(tree)}
