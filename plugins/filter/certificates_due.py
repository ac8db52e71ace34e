# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: certificates_due
  short_description: Name the certificates that have to be signed again
  version_added: 0.1.0
  author: lemp.stack authors
  description:
    - Names certificates that are missing, near their end, of another key, issuer or other domains than wanted.
  options:
    _input:
      description: Wanted certificates, each with C(name) and C(domains).
      type: list
      elements: dict
      required: true
    facts:
      description: >-
        Results of C(community.crypto.x509_certificate_info) for each, in the same order, asked for the validity at C(renewal).
      type: list
      elements: dict
      required: true
    keys:
      description: Results of C(community.crypto.openssl_privatekey) for each, in the same order.
      type: list
      elements: dict
      required: true
    issuer:
      description: Common name of the CA that should have signed.
      type: str
      required: true
  positional: _input, facts, keys, issuer
"""

EXAMPLES = r"""
- name: Show that a certificate which is not there is due
  ansible.builtin.debug:
    msg: "{{ [{'name': 'shop', 'domains': ['shop.example.org']}] | lemp.stack.certificates_due([{}], [{}], 'Own CA') }}"
"""

RETURN = r"""
  _value:
    description: Names of certificates.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._certificate import due
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"certificates_due": translate_errors(due)}
