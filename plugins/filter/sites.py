# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: sites
  short_description: Check and complete a list of sites
  version_added: 0.1.0
  author: lemp.stack authors
  description:
    - >-
      Checks C(lemp_sites) and fills in every key that was left out. Fails with one sentence naming the site, the
      key, its value and the remedy.
  options:
    _input:
      description: The sites of the stack, as described in the collection's README under "The site".
      type: list
      elements: dict
      required: true
"""

EXAMPLES = r"""
- name: Show the result for one static site
  ansible.builtin.debug:
    msg: "{{ [{'name': 'docs', 'domains': ['docs.example.org'], 'kind': 'static'}] | lemp.stack.sites }}"
"""

RETURN = r"""
  _value:
    description: >-
      The sites with every key present; C(php), C(database), C(cache), C(wordpress), C(proxy) are null where they do not apply.
    type: list
    elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._site import complete
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"sites": translate_errors(complete)}
