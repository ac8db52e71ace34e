#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
module: config_tree
short_description: Bring a whole set of configuration files into place in one step
version_added: 0.1.0
author: lemp.stack authors
description:
  - >-
    Renders any number of templates on the controller, sends them to the host in one go, compares them with what is there in
    one pass, and writes what differs. Each file is replaced by a rename, so that no reader ever sees half of one.
  - Files that match a pattern the caller owns and are no longer wanted are removed in the same step.
  - >-
    Templates find the usual variables, C(ansible_managed) and the role's search path; blocks are trimmed as by
    M(ansible.builtin.template).
options:
  directories:
    description:
      - Directories to create, in this order, before any file is written.
      - A plain path stands for a dictionary with nothing but that path.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      mode:
        description: Permissions in octal.
        type: str
        default: "0755"
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group.
        type: str
        default: root
  files:
    description: Files to write.
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description: Template, relative to the role's or playbook's C(templates). Excludes O(files[].content).
        type: str
      content:
        description: Literal content instead of a template.
        type: str
      dest:
        description: Absolute path on the host.
        type: path
        required: true
      vars:
        description: Further variables for this template.
        type: dict
        default: {}
      mode:
        description: Permissions in octal.
        type: str
        default: "0644"
      owner:
        description: Name of the owner.
        type: str
        default: root
      group:
        description: Name of the group.
        type: str
        default: root
      force:
        description: Replace content that differs. If false, a file that is there keeps its content.
        type: bool
        default: true
      sensitive:
        description: Say that the file changes, but never what.
        type: bool
        default: false
  owned:
    description: >-
      Shell patterns of files that the caller owns, such as C(/etc/nginx/conf.d/lemp-*.conf). A file that matches and is not
      in O(files) is removed.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Tells what would change and changes nothing.
    support: full
  diff_mode:
    description: One difference per file; sensitive files are left out.
    support: full
  idempotent:
    description: A second run with the same input changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Write one file per site and remove those of sites that are gone
  lemp.stack.config_tree:
    files:
      - src: etc/nginx/nginx.conf.j2
        dest: /etc/nginx/nginx.conf
      - src: etc/nginx/conf.d/site.conf.j2
        dest: /etc/nginx/conf.d/lemp-shop.conf
        vars: {site: shop}
    owned: [/etc/nginx/conf.d/lemp-*.conf]
"""

RETURN = r"""
changed_files:
  description: Paths that were written, created or removed, or would be in check mode.
  returned: always
  type: list
  elements: str
"""

import glob
import grp
import os
import pwd
import stat
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

Entry = dict[str, Any]


def read(path: str) -> str | None:
    """Content of a file, or None where there is none."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except FileNotFoundError:
        return None


def attributes_differ(entry: Entry, path: str) -> bool:
    """Whether owner, group or permissions of an existing path differ; a user who is still to be created differs."""
    status = os.stat(path)
    try:
        wanted = (pwd.getpwnam(entry["owner"]).pw_uid, grp.getgrnam(entry["group"]).gr_gid, int(entry["mode"], 8))
    except KeyError:
        return True
    return wanted != (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))


def set_attributes(entry: Entry, path: str) -> None:
    os.chown(path, pwd.getpwnam(entry["owner"]).pw_uid, grp.getgrnam(entry["group"]).gr_gid)
    os.chmod(path, int(entry["mode"], 8))


def write(module: AnsibleModule, entry: Entry) -> None:
    """Put the content beside the destination, then rename it over it."""
    folder, name = os.path.split(entry["dest"])
    handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(entry["content"])
        set_attributes(entry, temporary)
        module.atomic_move(temporary, entry["dest"])
        set_attributes(entry, entry["dest"])
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def apply_directory(module: AnsibleModule, entry: Entry) -> bool:
    path = entry["path"]
    if os.path.isdir(path):
        if not attributes_differ(entry, path):
            return False
    elif not module.check_mode:
        os.makedirs(path)
    if not module.check_mode:
        set_attributes(entry, path)
    return True


def apply_file(module: AnsibleModule, entry: Entry) -> tuple[bool, dict[str, str] | None]:
    """Whether the file changed, and its difference unless the file is sensitive or only attributes changed."""
    before = read(entry["dest"])
    if before is not None and not entry["force"]:
        entry["content"] = before
    if before == entry["content"]:
        if not attributes_differ(entry, entry["dest"]):
            return False, None
        if not module.check_mode:
            set_attributes(entry, entry["dest"])
        return True, None
    if not module.check_mode:
        write(module, entry)
    if entry["sensitive"]:
        return True, None
    header = entry["dest"]
    return True, {"before_header": header, "after_header": header, "before": before or "", "after": entry["content"]}


def stale(owned: list[str], files: list[Entry]) -> list[str]:
    """Files that match an owned pattern and are not wanted any more."""
    wanted = {entry["dest"] for entry in files}
    return sorted({path for pattern in owned for path in glob.glob(pattern) if os.path.isfile(path)} - wanted)


def main() -> None:
    attributes: dict[str, Any] = {
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
    }
    module = AnsibleModule(
        argument_spec={
            "directories": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "mode": {"type": "str", "default": "0755"},
                    **attributes,
                },
            },
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "src": {"type": "str"},
                    "dest": {"type": "path", "required": True},
                    "content": {"type": "str", "required": True},
                    "vars": {"type": "dict", "default": {}},
                    "mode": {"type": "str", "default": "0644"},
                    "force": {"type": "bool", "default": True},
                    "sensitive": {"type": "bool", "default": False},
                    **attributes,
                },
            },
            "owned": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
        no_log=True,  # the arguments are whole files, which may hold passwords: not for the host's log
    )
    changed, diffs = [], []
    try:
        for entry in module.params["directories"]:
            if apply_directory(module, entry):
                changed.append(entry["path"])
        for entry in module.params["files"]:
            current = entry["dest"]
            is_changed, diff = apply_file(module, entry)
            if is_changed:
                changed.append(current)
            if diff:
                diffs.append(diff)
        for path in stale(module.params["owned"], module.params["files"]):
            changed.append(path)
            diffs.append({"before_header": path, "after_header": path, "before": read(path) or "", "after": ""})
            if not module.check_mode:
                os.unlink(path)
    except (OSError, KeyError, ValueError) as error:
        module.fail_json(msg=f"The configuration could not be written: {error}", changed_files=changed, invocation={})
    module.exit_json(changed=bool(changed), changed_files=changed, diff=diffs, invocation={})


if __name__ == "__main__":
    main()
