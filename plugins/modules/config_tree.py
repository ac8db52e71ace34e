#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
module: config_tree
short_description: Change a whole set of configuration files in one transaction
version_added: 0.1.0
author: lemp.stack authors
description:
  - >-
    Renders any number of templates on the controller, sends them to the host in one go, compares them with what is there in
    one pass, and changes what differs all together or not at all.
  - >-
    The new set is staged beside the live one and judged by the daemons themselves (O(validators)) before anything that is
    live changes. In a private mount namespace the staged files lie over the live paths, so that a daemon reads the set as it
    is going to be. Where no such namespace can be had (an unprivileged container), the daemons judge the set in place and it
    is put back if they refuse it.
  - >-
    Then the files are swapped, the units concerned are reloaded or restarted, and each has to show that it is well. If any
    step fails, all files are put back, the units take them again, and the task fails with what the daemon said and the
    template that it comes from.
  - >-
    Killed at any moment, the task leaves the old set or the new one, and the next run undoes what was not finished. Each
    directory of O(trees) changes in one single step, by an exchange of directories; files elsewhere are renamed one by one,
    new and changed ones first, removed ones last.
  - >-
    Files that match a pattern the caller owns and are no longer wanted are removed in the same step. Files of others in the
    same directories are never touched.
  - >-
    A path that leads through a symbolic link which belongs to a user other than root is refused, because that user could lead
    the change to any file of the host.
  - >-
    Earlier generations of the set are kept on the host in O(store), and can be put back with O(generation);
    M(lemp.stack.config_tree_info) lists them.
  - >-
    Templates find the usual variables, C(ansible_managed) and the role's search path, as with M(ansible.builtin.template).
options:
  name:
    description:
      - Name of the set, usually that of the role. Journal and generations are kept under it.
      - Lower-case letters, digits, C(-) and C(_).
    type: str
    required: true
  users:
    description: >-
      System users that files belong to or that daemons run as, created by C(systemd-sysusers) where they are missing. Users
      are not undone.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the user, and of its own group.
        type: str
        required: true
      comment:
        description: What the user is for.
        type: str
        default: ""
      home:
        description: Home directory, which is not created.
        type: str
        default: /
      groups:
        description: Groups that the user joins; others stay.
        type: list
        elements: str
        default: []
  directories:
    description:
      - Directories to create, in this order, and whose owner and permissions to keep.
      - A plain path stands for a dictionary with nothing but that path.
      - Parents of files that are missing are created for root with permissions C(0755).
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
    description: Files to write. A symbolic link at the destination is replaced.
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
      trim_blocks:
        description: Remove the line break behind a block of the template, as M(ansible.builtin.template) does.
        type: bool
        default: true
      lstrip_blocks:
        description: Remove white space before a block of the template.
        type: bool
        default: false
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
  links:
    description: Symbolic links.
    type: list
    elements: dict
    default: []
    suboptions:
      dest:
        description: Absolute path of the link.
        type: path
        required: true
      target:
        description: What the link says.
        type: str
        required: true
  absent:
    description: Files and links that are removed where they are; directories never are.
    type: list
    elements: path
    default: []
  owned:
    description: >-
      Shell patterns of files that the caller owns, such as C(/etc/nginx/conf.d/lemp-*.conf). A file or link that matches and
      is not in O(files) or O(links) is removed.
    type: list
    elements: str
    default: []
  trees:
    description:
      - Directories of which all changes take effect in one step, and which O(validators) see as they are going to be.
      - >-
        What others changed in such a directory meanwhile is brought along. A directory that is or holds a mount point, or is
        on a file system that cannot exchange directories, is changed file by file; so is what lies behind a link that leads out
        of it.
    type: list
    elements: path
    default: []
  validators:
    description:
      - Commands, as lists of arguments, that must all succeed before anything changes.
      - >-
        They see all of O(trees) as staged; of other files those that replace a file which exists.
    type: list
    elements: list
    default: []
  units:
    description: Systemd units that read these files.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name with its suffix, such as C(nginx.service).
        type: str
        required: true
      running:
        description: >-
          Start the unit now and at boot where it is not, and have it prove in every run that it is well. If false, a unit
          that does not run is left alone.
        type: bool
        default: true
      reload_on:
        description: >-
          Shell patterns of what has to change for a reload. C(*) matches C(/) too. A user that was created or joined a group
          counts as C(user:NAME).
        type: list
        elements: str
        default: []
      restart_on:
        description: The same for a restart, which stands above a reload.
        type: list
        elements: str
        default: []
      stop_on:
        description: The same for stopping and disabling the unit, such as that of a version that lost its files.
        type: list
        elements: str
        default: []
      reload_forks:
        description: >-
          A reload has worked only once the main process has a new child. For daemons as nginx, which report success even if
          they could not take the new configuration.
        type: bool
        default: false
      reload_execs:
        description: >-
          A reload has worked only once the main process has executed its program anew, and that has a child or lives on for a
          second. For daemons as PHP-FPM, which let running requests end first, and read their configuration last.
        type: bool
        default: false
      listen:
        description: Ports, or paths of sockets, on which the unit's main process has to listen.
        type: list
        elements: str
        default: []
      url:
        description: Plain HTTP address that has to answer.
        type: str
        default: ""
      status:
        description: Status of that answer.
        type: int
        default: 200
      log:
        description: Log file of which new lines are shown when the unit is not well. The journal is read in any case.
        type: str
        default: ""
  timeout:
    description: Seconds that a unit has to become well.
    type: int
    default: 30
  keep:
    description: Number of generations to keep.
    type: int
    default: 10
  store:
    description: Directory on the host for the lock, journals and generations; made readable by its owner alone.
    type: path
    default: /var/lib/lemp/config
  generation:
    description:
      - Put this kept generation back, through the same transaction, instead of writing a set.
      - The next run of the role brings back what the inventory says.
      - Units of younger generations that this one does not know are reloaded, restarted or stopped as their files change.
    type: int
attributes:
  check_mode:
    description: >-
      Tells what would change, has the daemons judge the staged set, and changes nothing. What belongs to users that are still
      to be created cannot be judged.
    support: full
  diff_mode:
    description: One difference per file; of sensitive files only that they differ.
    support: full
  idempotent:
    description: A second run with the same input changes nothing.
    support: full
notes:
  - Needs root on the host, and util-linux for C(unshare) and C(mount).
  - One run at a time changes a host; a second one waits up to a minute.
seealso:
  - module: lemp.stack.config_tree_info
"""

EXAMPLES = r"""
- name: Write one file per site, let nginx judge and reload, and prove that it answers
  lemp.stack.config_tree:
    name: nginx
    files:
      - src: etc/nginx/nginx.conf.j2
        dest: /etc/nginx/nginx.conf
      - src: etc/nginx/conf.d/site.conf.j2
        dest: /etc/nginx/conf.d/lemp-shop.conf
        vars: {site: shop}
    owned: [/etc/nginx/conf.d/lemp-*.conf]
    trees: [/etc/nginx]
    validators: [[nginx, -t, -q]]
    units:
      - name: nginx.service
        reload_on: [/etc/nginx/*]
        reload_forks: true
        listen: [80, 443]
        log: /var/log/nginx/error.log

- name: Put the third generation of nginx' configuration back
  lemp.stack.config_tree:
    name: nginx
    generation: 3
"""

RETURN = r"""
changed_files:
  description: >-
    What changed or would in check mode, in order; paths, C(user:NAME) for a user that was created or joined a group,
    C(unit:NAME) for a unit that was started, stopped or enabled, C(transaction:NAME) for an interrupted change that was undone.
  returned: always
  type: list
  elements: str
validated:
  description: >-
    V(staged) where the daemons judged the staged set, V(in place) where they could only judge the live one, V(skipped) where
    check mode could not ask them, empty where there was nothing to judge.
  returned: success
  type: str
recovered:
  description: Whether an interrupted change was undone first.
  returned: success
  type: bool
generation:
  description: Number of the kept generation that this set is.
  returned: when something changed
  type: int
refused:
  description: The files that are to blame, with C(file), C(template), and C(line) and C(text) where the daemon named them.
  returned: when a daemon refused the set
  type: list
  elements: dict
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.lemp.stack.plugins.module_utils._config.store import Store
from ansible_collections.lemp.stack.plugins.module_utils._config.transaction import Outcome, Transaction, why
from ansible_collections.lemp.stack.plugins.module_utils._config.wanted import Change, Entry, Refused, Request, Unit, plain

NAME = "abcdefghijklmnopqrstuvwxyz0123456789_-"


def strings(default: Any = None) -> dict[str, Any]:
    return {"type": "list", "elements": "str", "default": [] if default is None else default}


def dicts(options: dict[str, Any]) -> dict[str, Any]:
    return {"type": "list", "elements": "dict", "default": [], "options": options}


def owned_by(mode: str) -> dict[str, Any]:
    return {
        "mode": {"type": "str", "default": mode},
        "owner": {"type": "str", "default": "root"},
        "group": {"type": "str", "default": "root"},
    }


ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "users": dicts(
        {
            "name": {"type": "str", "required": True},
            "comment": {"type": "str", "default": ""},
            "home": {"type": "str", "default": "/"},
            "groups": strings(),
        }
    ),
    "directories": dicts({"path": {"type": "path", "required": True}, **owned_by("0755")}),
    "files": dicts(
        {
            "src": {"type": "str"},
            "dest": {"type": "path", "required": True},
            "content": {"type": "str", "required": True},
            "vars": {"type": "dict", "default": {}},
            "trim_blocks": {"type": "bool", "default": True},
            "lstrip_blocks": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": True},
            "sensitive": {"type": "bool", "default": False},
            **owned_by("0644"),
        }
    ),
    "links": dicts({"dest": {"type": "path", "required": True}, "target": {"type": "str", "required": True}}),
    "absent": {"type": "list", "elements": "path", "default": []},
    "owned": strings(),
    "trees": {"type": "list", "elements": "path", "default": []},
    "validators": {"type": "list", "elements": "list", "default": []},
    "units": dicts(
        {
            "name": {"type": "str", "required": True},
            "running": {"type": "bool", "default": True},
            "reload_on": strings(),
            "restart_on": strings(),
            "stop_on": strings(),
            "reload_forks": {"type": "bool", "default": False},
            "reload_execs": {"type": "bool", "default": False},
            "listen": strings(),
            "url": {"type": "str", "default": ""},
            "status": {"type": "int", "default": 200},
            "log": {"type": "str", "default": ""},
        }
    ),
    "timeout": {"type": "int", "default": 30},
    "keep": {"type": "int", "default": 10},
    "store": {"type": "path", "default": "/var/lib/lemp/config"},
    "generation": {"type": "int"},
}


def permissions(given: dict[str, Any], path: str) -> int:
    try:
        return int(given["mode"], 8)
    except ValueError:
        raise Refused(f"mode of {path} is {given['mode']!r}, which is no octal number; write it as 0644 in quotes.") from None


def request_from(params: dict[str, Any]) -> Request:
    """The typed request that the module's arguments stand for."""
    directories = [
        Entry(
            plain(given["path"]),
            "directory",
            mode=permissions(given, given["path"]),
            owner=given["owner"],
            group=given["group"],
        )
        for given in params["directories"]
    ]
    written = [
        Entry(
            plain(given["dest"]),
            "file",
            content=given["content"],
            mode=permissions(given, given["dest"]),
            owner=given["owner"],
            group=given["group"],
            keep=not given["force"],
            sensitive=given["sensitive"],
            source=given["src"] or "",
        )
        for given in params["files"]
    ]
    links = [Entry(plain(given["dest"]), "link", target=given["target"]) for given in params["links"]]
    absent = [Entry(plain(path), "absent") for path in params["absent"]]
    entries = (*directories, *written, *links, *absent)
    relative = [entry.path for entry in entries if not entry.path.startswith("/")]
    if relative:
        raise Refused(f"{relative[0]} is no absolute path; begin it with /.")
    return Request(
        name=params["name"],
        entries=entries,
        users=tuple(params["users"]),
        owned=tuple(plain(pattern) for pattern in params["owned"]),
        trees=tuple(plain(path) for path in params["trees"]),
        validators=tuple(tuple(str(word) for word in argv) for argv in params["validators"]),
        units=tuple(Unit.from_json(unit) for unit in params["units"]),
        timeout=params["timeout"],
        keep=max(params["keep"], 1),
    )


def shown(change: Change, hidden: bool) -> dict[str, str] | None:
    """One change as diff mode shows it."""
    entry, live = change.entry, change.live
    headers = {"before_header": entry.path, "after_header": entry.path}
    if change.what == "make":
        return {**headers, "before": "", "after": f"directory {entry.owner}:{entry.group} {entry.mode:04o}\n"}
    if change.what == "attributes":
        before = f"{live.uid}:{live.gid} {live.mode:04o}\n"
        return {**headers, "before": before, "after": f"{entry.owner}:{entry.group} {entry.mode:04o}\n"}
    before = f"link to {live.target}\n" if live.kind == "link" else live.content
    after = f"link to {entry.target}\n" if entry.kind == "link" else entry.content if entry.kind == "file" else ""
    if hidden:
        before, after = ("(content not shown)\n" if text else "" for text in (before, after))
        after = after and "(other content, not shown)\n"
    return {**headers, "before": before, "after": after}


def diffs(outcome: Outcome) -> list[dict[str, str]]:
    found = [shown(change, change.entry.sensitive or change.path in outcome.hidden) for change in outcome.changes]
    return [diff for diff in found if diff]


def main() -> None:
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        mutually_exclusive=[("generation", name) for name in ("files", "directories", "links", "absent", "users")],
        no_log=True,  # the arguments are whole files, which may hold passwords: not for the host's log
    )
    params = module.params
    # Without it every result would repeat the content of all files.
    quiet: dict[str, Any] = {"invocation": {}}

    def label(path: str, mode: int) -> str | None:
        context = module.selinux_default_context(path, mode) if module.selinux_enabled() else []
        return ":".join(context) if context and None not in context else None

    try:
        if not params["name"] or set(params["name"]) - set(NAME):
            raise Refused(f"name is {params['name']!r}; use lower-case letters, digits, - and _.")
        store = Store(params["name"], params["store"])
        chosen = params["generation"]
        request = request_from(params) if chosen is None else store.request_of(chosen, max(params["keep"], 1))
        outcome = Transaction(request, store, label, module.check_mode).run()
    except Refused as error:
        module.fail_json(msg=str(error), changed_files=[], **error.details, **quiet)
    except OSError as error:
        module.fail_json(msg=f"{params['name']}: {why(error)}.", changed_files=[], **quiet)
    module.exit_json(
        changed=bool(outcome.changed),
        changed_files=outcome.changed,
        validated=outcome.validated,
        recovered=outcome.recovered,
        generation=outcome.generation,
        diff=diffs(outcome),
        **quiet,
    )


if __name__ == "__main__":
    main()
