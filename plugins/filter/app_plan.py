# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: app_plan
  short_description: Say what role app does for its sites, or what is wrong with them
  version_added: 0.2.0
  author: lemp.stack authors
  description:
    - >-
      Makes, from the input of role P(lemp.stack.app#role), everything that its tasks work with. The result holds passwords,
      and keys and salts that are new each time.
  options:
    _input:
      description: The role's input C(app_sites).
      type: list
      elements: dict
      required: true
    platform:
      description:
        - >-
          The name of the program of one PHP version, which takes the place of C(%s), in C(php); packages that bring WordPress
          in C(wordpress_packages), empty where the platform has none, and translations in C(wordpress_language_packages).
      type: dict
      required: true
  positional: _input, platform
"""

EXAMPLES = r"""
- name: Show what a site without an application gets
  ansible.builtin.debug:
    msg: "{{ [{'name': 'docs', 'recipe': 'none', 'user': 'docs', 'domain': 'docs.example.org', 'home': '/srv/www/docs',
      'root': '/srv/www/docs/public'}] | lemp.stack.app_plan({'php': 'php', 'wordpress_packages': []}) }}"
"""

RETURN = r"""
  _value:
    description: >-
      Sentences in C(problems), which hold no password; where there are none, paths that have to be there in C(existing), all
      paths to look for in C(probes), names of C(wordpress) sites, wanted C(packages), C(theme_directories), C(object_caches),
      inputs C(users), C(directories), C(files), C(owned), C(validators) and C(units) of M(lemp.stack.config_tree),
      C(instances), C(archives) to be unpacked, and C(tables), the input of M(lemp.stack.wordpress_tables).
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._app import plan
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"app_plan": translate_errors(plan)}
