# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: parse_size
  short_description: Read a size from a daemon's configuration
  version_added: 0.3.0
  author: lemp.stack authors
  description:
    - Knows the suffixes of each daemon, and that C(1g) is 10^9 bytes to Redis and 2^30 to nginx.
    - Fails on what the daemon would not read.
  options:
    _input:
      description: The size as text; without a suffix it is bytes.
      type: str
      required: true
    dialect:
      description: Whose configuration it is.
      type: str
      choices: [postgresql, mariadb, redis, php, nginx, systemd]
      required: true
  positional: _input, dialect
"""

EXAMPLES = r"""
- name: Show how many bytes 1gb are to Redis
  ansible.builtin.debug:
    msg: "{{ '1gb' | lemp.stack.parse_size('redis') }}"
"""

RETURN = r"""
  _value:
    description: Bytes.
    type: int
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._plan.units import parse_size
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"parse_size": translate_errors(parse_size)}
