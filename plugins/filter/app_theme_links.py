# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: app_theme_links
  short_description: Link the distribution's WordPress themes into sites
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - Makes the input O(lemp.stack.config_tree#module:links) for themes that the distribution's packages brought.
  options:
    _input:
      description: Directories that get the themes.
      type: list
      elements: str
      required: true
    themes:
      description: Names of the themes.
      type: list
      elements: str
      required: true
    root:
      description: Directory of the distribution's WordPress.
      type: str
      required: true
  positional: _input, themes, root
"""

EXAMPLES = r"""
- name: Show the link to one theme
  ansible.builtin.debug:
    msg: "{{ ['/srv/www/shop/wp-content/themes'] | lemp.stack.app_theme_links(['twentytwenty'], '/usr/share/wordpress') }}"
"""

RETURN = r"""
  _value:
    description: One entry per directory and theme.
    type: list
    elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._app import links
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"app_theme_links": translate_errors(links)}
