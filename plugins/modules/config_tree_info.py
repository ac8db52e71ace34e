#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
module: config_tree_info
short_description: List the kept generations of configurations
version_added: 0.2.0
author: lemp.stack authors
description:
  - Lists what M(lemp.stack.config_tree) keeps on a host, without any content.
options:
  name:
    description: Name of one configuration; all of them without it.
    type: str
  store:
    description: Directory on the host that M(lemp.stack.config_tree) keeps generations in.
    type: path
    default: /var/lib/lemp/config
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Reads only.
    support: full
notes:
  - Needs root on the host.
seealso:
  - module: lemp.stack.config_tree
"""

EXAMPLES = r"""
- name: List the generations of nginx' configuration
  lemp.stack.config_tree_info:
    name: nginx
  register: kept
"""

RETURN = r"""
configurations:
  description: >-
    The generations by name of the configuration, oldest first, each with C(generation) (its number), C(time) (UTC), C(origin)
    (V(written) by a run or V(found) on the host), C(files) (paths) and C(current) (whether it is the newest).
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lemp.stack.plugins.module_utils._config.store import Store, stored_names
from ansible_collections.lemp.stack.plugins.module_utils._config.wanted import Refused


def main() -> None:
    module = AnsibleModule(
        argument_spec={"name": {"type": "str"}, "store": {"type": "path", "default": "/var/lib/lemp/config"}},
        supports_check_mode=True,
    )
    root, name = module.params["store"], module.params["name"]
    names = stored_names(root)
    if name is not None and name not in names:
        module.fail_json(msg=f"name is {name}, but this host keeps {', '.join(names) or 'nothing'}; choose one of them.")
    try:
        configurations = {one: Store(one, root).overview() for one in names if name in (None, one)}
    except (Refused, OSError) as error:
        module.fail_json(msg=f"The kept generations could not be read: {error}")
    module.exit_json(configurations=configurations)


if __name__ == "__main__":
    main()
