# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: mariadb_problems
  short_description: Say what is wrong with the inputs of role mariadb
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - Checks names, hosts, rights, numbers and settings on the controller, before anything is done to a host.
    - No sentence holds a password.
  options:
    _input:
      description: Inputs of role P(lemp.stack.mariadb#role) by name; one that is absent is not judged.
      type: dict
      required: true
    versions:
      description: >-
        Lines that say what is on the host, C(Data: 10.11.6-MariaDB), C(mariadbd  Ver 11.8.3-MariaDB) and
        C(Candidate: 11.8.3); without them no version is judged.
      type: str
      default: ""
      version_added: 0.5.0
  positional: _input, versions
"""

EXAMPLES = r"""
- name: Show what is wrong with a port
  ansible.builtin.debug:
    msg: "{{ {'mariadb_port': 70000} | lemp.stack.mariadb_problems }}"

- name: Show that data are newer than the server
  ansible.builtin.debug:
    msg: "{{ {} | lemp.stack.mariadb_problems('mariadbd  Ver 10.11.6-MariaDB\nData: 11.8.3-MariaDB') }}"
"""

RETURN = r"""
  _value:
    description: Sentences, each with variable, value and remedy; none where nothing is wrong.
    type: list
    elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._mariadb import problems
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"mariadb_problems": translate_errors(problems)}
