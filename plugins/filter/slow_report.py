# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: slow_report
  short_description: Show the slowest statements of a host to people, as lines or as a page
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - >-
      Says of every server which statements took the most time, how often and how long they ran, how the server executes them,
      and what of that is worth repairing.
    - The page needs no scripts and nothing from elsewhere; everything in it is escaped.
  options:
    _input:
      description: RV(lemp.stack.slow_queries#module:servers).
      type: list
      elements: dict
      required: true
    host:
      description: Name of the host, for the title.
      type: str
      default: ""
    format:
      description: C(text) for a terminal, C(html) for a browser or a printer.
      type: str
      choices: [text, html]
      default: text
  positional: _input
  seealso:
    - plugin: lemp.stack.slow_queries
      plugin_type: module
"""

EXAMPLES = r"""
- name: Show what takes the most time
  ansible.builtin.debug:
    msg: "{{ (slow.servers | lemp.stack.slow_report(host='vps')).splitlines() }}"
  vars:
    slow: {servers: []}
"""

RETURN = r"""
  _value:
    description: The report, with a newline at its end.
    type: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._slow_report import report
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


def slow_report(servers: Sequence[Mapping[str, Any]], host: str = "", format: str = "text") -> str:  # noqa: A002 - as filters of others say it
    return report(servers, host, format)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"slow_report": translate_errors(slow_report)}
