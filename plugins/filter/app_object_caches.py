# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: app_object_caches
  short_description: Link the object cache into WordPress sites that have a cache
  version_added: 0.5.0
  author: lemp.stack authors
  description:
    - >-
      Says which sites get a link to the object cache of role P(lemp.stack.app#role), which links are taken away again, and
      which files belong to somebody else and stay.
  options:
    _input:
      description: What C(object_caches) of filter P(lemp.stack.app_plan#filter) says.
      type: list
      elements: dict
      required: true
    found:
      description: What is on the host, a path each, or a link as C(path -> target).
      type: list
      elements: str
      required: true
  positional: _input, found
"""

EXAMPLES = r"""
- name: Show the link of one site
  ansible.builtin.debug:
    msg: "{{ [{'path': '/srv/www/shop/wp-content/object-cache.php', 'wanted': true}] | lemp.stack.app_object_caches([]) }}"
"""

RETURN = r"""
  _value:
    description: Inputs C(links) and C(owned) of M(lemp.stack.config_tree), and paths of C(foreign) object caches.
    type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._app import object_caches
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"app_object_caches": translate_errors(object_caches)}
