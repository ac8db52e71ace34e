# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: app_plan
  short_description: Say what role app does for its sites
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - >-
      Makes, from the input of role P(lemp.stack.app#role), everything that its tasks work with. The result holds passwords, and
      keys and salts that are new each time.
  options:
    _input:
      description: The role's input C(app_sites).
      type: list
      elements: dict
      required: true
    present:
      description: Those of the paths of P(lemp.stack.app_probes#filter) that are on the host.
      type: list
      elements: str
      default: []
    themes:
      description: Names of the distribution's WordPress themes that are installed.
      type: list
      elements: str
      default: []
    root:
      description: Directory of the distribution's WordPress.
      type: str
      default: ""
    php:
      description: Name of the program of one PHP version, which takes the place of C(%s).
      type: str
      default: php%s
  positional: _input, present
"""

EXAMPLES = r"""
- name: Show what a site without an application gets
  ansible.builtin.debug:
    msg: "{{ [{'name': 'docs', 'recipe': 'none', 'user': 'docs', 'home': '/srv/www/docs', 'root': '/srv/www/docs/public'}]
      | lemp.stack.app_plan }}"
"""

RETURN = r"""
  _value:
    description: >-
      Names of C(wordpress) sites, wanted C(packages) and whether it C(needs_theme); inputs C(users), C(directories), C(links),
      C(files), C(owned), C(validators) and C(units) of M(lemp.stack.config_tree); C(archives) to be unpacked; C(tables), the
      input of M(lemp.stack.wordpress_tables).
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._app import plan
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"app_plan": translate_errors(plan)}
