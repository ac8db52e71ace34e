# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
  name: baseline_boot_arguments
  short_description: Let a Raspberry Pi's kernel have control groups for memory
  version_added: 0.4.0
  author: lemp.stack authors
  description:
    - Adds C(cgroup_enable=memory) to the arguments of the kernel where they do not have it, and keeps everything else.
  options:
    _input:
      description: Content of C(cmdline.txt).
      type: str
      required: true
"""

EXAMPLES = r"""
- name: Show what the arguments become
  ansible.builtin.debug:
    msg: "{{ 'root=PARTUUID=4d8097e2-02 rootwait' | lemp.stack.baseline_boot_arguments }}"
"""

RETURN = r"""
  _value:
    description: The new content.
    type: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.lemp.stack.plugins.module_utils._baseline import boot_arguments
from ansible_collections.lemp.stack.plugins.plugin_utils._filter import translate_errors


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"baseline_boot_arguments": translate_errors(boot_arguments)}
