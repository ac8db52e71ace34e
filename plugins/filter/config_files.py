# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: config_files
  short_description: Make one file of M(lemp.stack.config_tree) per item
  version_added: 0.1.0
  author: lemp.stack authors
  description:
    - Makes the input O(lemp.stack.config_tree#module:files) for a list of which each item gets a file from one template.
    - In O(dest) and O(group), C({key}) stands for that key of a dictionary, and C({item}) for a plain item itself.
  options:
    _input:
      description: The items, dictionaries or plain values.
      type: list
      elements: raw
      required: true
    src:
      description: Template of all files.
      type: str
      required: true
    dest:
      description: Path on the host.
      type: str
      required: true
    variable:
      description: Name under which the template finds its item.
      type: str
      required: true
    common:
      description: Further variables for the template, the same for all items and computed once.
      type: dict
    group:
      description: Group of the file.
      type: str
    defaults:
      description: Values of keys that an item lacks or leaves empty.
      type: dict
    mode:
      description: Permissions in octal.
      type: str
    force:
      description: Replace content that differs.
      type: bool
    sensitive:
      description: Never show what changes.
      type: bool
"""

EXAMPLES = r"""
- name: Show the files of two sites
  ansible.builtin.debug:
    msg: "{{ ['a', 'b'] | lemp.stack.config_files(src='site.j2', dest='/etc/{item}.conf', variable='site') }}"
"""

RETURN = r"""
  _value:
    description: One entry per item.
    type: list
    elements: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


def config_files(
    items: list[Any],
    src: str,
    dest: str,
    variable: str,
    defaults: Mapping[str, Any] | None = None,
    common: Mapping[str, Any] | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """One entry per item, with ``{key}`` in ``dest`` and ``group`` filled from the item."""

    def entry(item: Any) -> dict[str, Any]:
        given = item if isinstance(item, Mapping) else {"item": item}
        fields = {**(defaults or {}), **{key: value for key, value in given.items() if value != ""}}
        filled = {key: value.format(**fields) if key == "group" else value for key, value in options.items()}
        return {"src": src, "dest": dest.format(**fields), "vars": {**(common or {}), variable: item}, **filled}

    try:
        return [entry(item) for item in items]
    except KeyError as error:
        raise ValueError(f"config_files: an item has no key {error}, which dest or group asks for.") from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"config_files": translate_errors(config_files)}
