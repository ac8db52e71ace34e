#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
module: own_ca_info
short_description: Tell which keys and certificates of an own CA have to be made
version_added: 0.2.0
author: lemp.stack authors
description:
  - >-
    Reads the CA and any number of its certificates with their keys in one go, and names what is missing, near its end, of
    another key, another CA or other domains than wanted. Changes nothing.
  - Keys are expected to be of curve secp256r1 and readable by their owner alone.
options:
  certificates:
    description: Wanted certificates.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Short name.
        type: str
        required: true
      domains:
        description: Names that the certificate is valid for.
        type: list
        elements: str
        required: true
      certificate:
        description: Path of the certificate.
        type: path
        required: true
      key:
        description: Path of its key.
        type: path
        required: true
  ca_certificate:
    description: Path of the CA's certificate.
    type: path
    required: true
  ca_key:
    description: Path of the CA's key.
    type: path
    required: true
  ca_name:
    description: Common name of the CA.
    type: str
    required: true
  trust_bundle:
    description: File of all certificates that programs on the host trust. Without it, trust is not looked at.
    type: path
  renew_before_days:
    description: Remaining days below which a certificate is due.
    type: int
    required: true
requirements: [python3-cryptography]
attributes:
  check_mode:
    description: Does the same; it changes nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Look what has to be signed
  lemp.stack.own_ca_info:
    certificates:
      - name: shop
        domains: [shop.example.org]
        certificate: /etc/ssl/lemp/shop/fullchain.pem
        key: /etc/ssl/lemp/shop/privkey.pem
    ca_certificate: /etc/ssl/lemp/ca/ca.pem
    ca_key: /etc/ssl/lemp/ca/ca.key
    ca_name: CA of this host
    renew_before_days: 30
  register: due
"""

RETURN = r"""
keys_due:
  description: Paths of keys that have to be made, or whose permissions have to be mended.
  returned: always
  type: list
  elements: str
ca_due:
  description: Whether the CA's certificate has to be signed.
  returned: always
  type: bool
trust_due:
  description: Whether programs on the host do not trust the CA yet.
  returned: always
  type: bool
certificates_due:
  description: Those of O(certificates) that have to be signed.
  returned: always
  type: list
  elements: dict
"""

import os
import stat
import traceback
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.lemp.stack.plugins.module_utils._certificate import (
    KEY_MODE,
    ca_is_good,
    is_good,
    key_is_good,
    read_pair,
)


def read(path: str) -> str | None:
    """Content of a file, None where there is none; bytes that no PEM text has are kept out of the way."""
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def is_private(path: str) -> bool:
    return stat.S_IMODE(os.stat(path).st_mode) == KEY_MODE


def find_due(parameters: dict[str, Any], now: datetime) -> dict[str, Any]:
    """What the module returns.

    :param parameters: the module's.
    :param now: an aware moment.
    """
    until = now + timedelta(days=parameters["renew_before_days"])
    name, ca_key = parameters["ca_name"], parameters["ca_key"]
    ca_text, ca_key_text = read(parameters["ca_certificate"]), read(ca_key)
    ca = read_pair(ca_text, ca_key_text, ca_key_text)
    keys = {ca_key: ca["key"]}
    certificates = []
    for wanted in parameters["certificates"]:
        pair = read_pair(read(wanted["certificate"]), read(wanted["key"]), ca_key_text)
        keys[wanted["key"]] = pair["key"]
        if not key_is_good(ca["key"]) or not is_good(pair, wanted["domains"], name, until):
            certificates.append(wanted)
    ca_is_due = not ca_is_good(ca, name, until)
    bundle = parameters["trust_bundle"]
    return {
        "keys_due": [path for path, key in keys.items() if not key_is_good(key) or not is_private(path)],
        "ca_due": ca_is_due,
        "trust_due": bool(bundle) and (ca_is_due or (ca_text or "").strip() not in (read(bundle) or "")),
        "certificates_due": certificates,
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "certificates": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "domains": {"type": "list", "elements": "str", "required": True},
                    "certificate": {"type": "path", "required": True},
                    "key": {"type": "path", "required": True, "no_log": False},
                },
            },
            "ca_certificate": {"type": "path", "required": True},
            "ca_key": {"type": "path", "required": True, "no_log": False},
            "ca_name": {"type": "str", "required": True},
            "trust_bundle": {"type": "path"},
            "renew_before_days": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(changed=False, **find_due(module.params, datetime.now(timezone.utc)))
    except ImportError:
        module.fail_json(msg=missing_required_lib("cryptography"), exception=traceback.format_exc())


if __name__ == "__main__":
    main()
