# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: config_generations
  short_description: Say in lines what M(lemp.stack.config_tree_info) found
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - One line per kept generation, for people to choose from.
  options:
    _input:
      description: RV(lemp.stack.config_tree_info#module:configurations).
      type: dict
      required: true
    name:
      description: Name of one configuration; all of them if empty.
      type: str
      default: ""
  positional: _input, name
"""

EXAMPLES = r"""
- name: Show what a host keeps of nginx' configuration
  ansible.builtin.debug:
    msg: >-
      {{ {'nginx': [{'generation': 1, 'time': '2026-11-24T08:00:00Z', 'origin': 'found', 'files': ['/etc/nginx/nginx.conf'],
      'current': true}]} | lemp.stack.config_generations('nginx') }}
"""

RETURN = r"""
  _value:
    description: The lines.
    type: list
    elements: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


def config_generations(configurations: Mapping[str, Any], name: str = "") -> list[str]:
    if name and name not in configurations:
        raise ValueError(f"config is {name}, but this host keeps {', '.join(configurations) or 'nothing'}; choose one of them.")
    return [
        f"{one}: generation {kept['generation']} of {kept['time']}, {kept['origin']}, {len(kept['files'])} files"
        + (", the newest" if kept["current"] else "")
        for one, generations in configurations.items()
        if name in ("", one)
        for kept in generations
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"config_generations": translate_errors(config_generations)}
