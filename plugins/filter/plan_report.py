# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: plan_report
  short_description: Show a host's plan to people, as lines or as a page
  version_added: 0.3.0
  author: lemp.stack authors
  description:
    - >-
      Says what P(lemp.stack.plan#filter) decided and why: the budget of the host's memory, the charge of every service, and
      for every value what decided it, its formula, and what the distribution ships.
    - >-
      The page needs no scripts and nothing from elsewhere; everything in it is escaped. Its megabytes and percents are
      rounded so that parts add up to their sum.
  options:
    _input:
      description: What P(lemp.stack.plan#filter) returns.
      type: dict
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
"""

EXAMPLES = r"""
- name: Show what this host's memory goes to
  ansible.builtin.debug:
    msg: >-
      {{ (ansible_facts | lemp.stack.plan(['nginx', 'php_fpm', 'mariadb'])
      | lemp.stack.plan_report(host='vps')).splitlines() }}

- name: Make a page of it
  ansible.builtin.debug:
    msg: "{{ ansible_facts | lemp.stack.plan(['mariadb']) | lemp.stack.plan_report(host='vps', format='html') }}"
"""

RETURN = r"""
  _value:
    description: The report, with a newline at its end.
    type: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._plan_report import report
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


def plan_report(plan: Mapping[str, Any], host: str = "", format: str = "text") -> str:  # noqa: A002 - as filters of others say it
    return report(plan, host, format)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"plan_report": translate_errors(plan_report)}
