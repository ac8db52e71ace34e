# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: certbot_requests
  short_description: Name the certificates that the own CA signs
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - >-
      Makes the input O(lemp.stack.own_ca_info#module:certificates) for the entries of issuer C(selfsigned).
  options:
    _input:
      description: The input C(certbot_certificates) of role P(lemp.stack.certbot#role).
      type: list
      elements: dict
      required: true
"""

EXAMPLES = r"""
- name: Show that a certificate which is brought along is none of the own CA's
  ansible.builtin.debug:
    msg: "{{ [{'name': 'shop', 'issuer': 'files'}] | lemp.stack.certbot_requests }}"
"""

RETURN = r"""
  _value:
    description: One entry per certificate of the own CA.
    type: list
    elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._certificate import requests
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"certbot_requests": translate_errors(requests)}
