# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: format_size
  short_description: Write a number of bytes as a daemon reads it
  version_added: 0.3.0
  author: lemp.stack authors
  description:
    - Uses the largest unit that keeps every byte, in the spelling of the daemon.
    - P(lemp.stack.parse_size#filter) reads it back as the same number.
  options:
    _input:
      description: Bytes.
      type: int
      required: true
    dialect:
      description: Whose configuration it is.
      type: str
      choices: [postgresql, mariadb, redis, php, nginx, systemd]
      required: true
  positional: _input, dialect
"""

EXAMPLES = r"""
- name: Show 512 MiB as PostgreSQL writes it
  ansible.builtin.debug:
    msg: "{{ 536870912 | lemp.stack.format_size('postgresql') }}"
"""

RETURN = r"""
  _value:
    description: The size as text.
    type: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._plan.units import format_size
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"format_size": translate_errors(format_size)}
