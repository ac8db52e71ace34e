#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

DOCUMENTATION = r"""
module: wordpress_tables
short_description: Make or upgrade the tables of any number of WordPress sites
version_added: 0.2.0
author: lemp.stack authors
description:
  - >-
    Asks the database of every site, in one go, whether its tables are there and of the version of the site's code. Only where
    that is not so, WordPress itself makes or upgrades them, as the site's user and at most O(parallel) sites at a time.
  - Passwords are handed to programs on standard input and are never shown.
  - Needs the programs that role P(lemp.stack.app#role) installs.
options:
  sites:
    description: Sites that run WordPress.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Short name, shown in messages.
        type: str
        required: true
      user:
        description: Unix user that the site's code runs as.
        type: str
        required: true
      root:
        description: Directory of WordPress.
        type: path
        required: true
      domain:
        description: Canonical domain, by which WordPress finds its configuration.
        type: str
        required: true
      php:
        description: PHP program of the command line.
        type: str
        default: php
      title:
        description: Title of the blog when it is first installed.
        type: str
        required: true
      admin_user:
        description: Login name of the first administrator.
        type: str
        required: true
      admin_email:
        description: Address of the first administrator.
        type: str
        required: true
      admin_password:
        description: Password of the first administrator.
        type: str
        required: true
      language:
        description: Locale of the blog.
        type: str
        default: en_US
      table_prefix:
        description: Prefix of table names.
        type: str
        default: wp_
      database:
        description: Account that the site uses.
        type: dict
        required: true
        suboptions:
          name:
            description: Name of the database.
            type: str
            required: true
          user:
            description: Name of the account.
            type: str
            required: true
          password:
            description: Password of the account.
            type: str
            required: true
          host:
            description: Host of the server.
            type: str
            default: localhost
  library:
    description: Directory of the programs C(wordpress-check.php) and C(wordpress-install.php).
    type: path
    default: /usr/local/lib/lemp
  parallel:
    description: Sites that are installed or upgraded at the same time.
    type: int
    default: 2
attributes:
  check_mode:
    description: Tells which sites have no tables, or old ones, and changes nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Make or upgrade tables
  lemp.stack.wordpress_tables:
    sites:
      - name: shop
        user: shop
        root: /usr/share/wordpress
        domain: shop.example.org
        title: Shop
        admin_user: anna
        admin_email: anna@example.org
        admin_password: "{{ vault_shop_admin_password }}"
        database: {name: shop, user: shop, password: "{{ vault_shop_database_password }}"}
"""

RETURN = r"""
sites:
  description: >-
    What was done for each site, by its name; V(nothing), V(installed), V(upgraded), V(failed), and in check mode V(due).
  returned: always
  type: dict
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule

INSTALL_SECONDS = 600
CHECK_SECONDS = 120
MESSAGE_CHARACTERS = 600
DONE = {"installed": "installed", "upgraded": "upgraded", "nothing to do": "nothing"}
CHANGES = {"installed", "upgraded", "due"}

Site = Mapping[str, Any]


def code_version(root: str) -> int | None:
    """Version of the tables that WordPress' code in this directory wants; None where it does not say."""
    try:
        with open(os.path.join(root, "wp-includes", "version.php"), encoding="utf-8", errors="replace") as stream:
            found = re.search(r"^\s*\$wp_db_version\s*=\s*(\d+)\s*;", stream.read(), re.M)
    except OSError:
        return None
    return int(found[1]) if found else None


def table_versions(sites: Sequence[Site], library: str) -> dict[str, int]:
    """Version of the tables that each site has. A site that could not be asked is left out, whatever the reason.

    One process, of root as this one: any other user's processes could read the passwords of all sites out of it.
    """
    wanted = [{key: site[key] for key in ("name", "table_prefix", "database")} for site in sites]
    try:
        done = subprocess.run(
            [sites[0]["php"], os.path.join(library, "wordpress-check.php")],
            input=json.dumps(wanted),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CHECK_SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {}
    return {name: version for name, version in answer.items() if isinstance(version, int)} if isinstance(answer, dict) else {}


def find_due(sites: Sequence[Site], library: str) -> list[Site]:
    """Sites whose tables are not known to be of the version of their code."""
    if not sites:
        return []
    tables = table_versions(sites, library)
    code = {root: code_version(root) for root in {site["root"] for site in sites}}
    return [site for site in sites if code[site["root"]] is None or tables.get(site["name"]) != code[site["root"]]]


def install(site: Site, library: str) -> tuple[str, str]:
    """Let WordPress make or upgrade its tables: what was done, and where that is ``failed`` the reason."""
    keys = ("root", "domain", "title", "admin_user", "admin_email", "admin_password", "language")
    settings = ("-d", "display_errors=stderr", "-d", "zend.exception_ignore_args=1")
    program = os.path.join(library, "wordpress-install.php")
    try:
        done = subprocess.run(
            ["runuser", "-u", site["user"], "--", site["php"], *settings, program],
            input=json.dumps({key: site[key] for key in keys}),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INSTALL_SECONDS,
            check=False,
            cwd="/",
        )
    except OSError as error:
        return "failed", str(error)
    except subprocess.TimeoutExpired:
        return "failed", f"no answer within {INSTALL_SECONDS} seconds"
    word = DONE.get(done.stdout.strip().rpartition("\n")[2])
    if done.returncode == 0 and word:
        return word, ""
    return "failed", readable(f"{done.stderr}\n{done.stdout}") or f"exit status {done.returncode}"


def readable(text: str) -> str:
    """A message without the HTML that WordPress wraps around it, on one line."""
    plain = re.sub(r"<[^>]*>", " ", re.sub(r"<(style|head)\b.*?</\1>", " ", text, flags=re.S))
    return " ".join(plain.split())[:MESSAGE_CHARACTERS]


def main() -> None:
    text = {"type": "str", "required": True}
    secret = {"type": "str", "required": True, "no_log": True}
    module = AnsibleModule(
        argument_spec={
            "sites": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    **dict.fromkeys(("name", "user", "domain", "title", "admin_user", "admin_email"), text),
                    "root": {"type": "path", "required": True},
                    "php": {"type": "str", "default": "php"},
                    "admin_password": secret,
                    "language": {"type": "str", "default": "en_US"},
                    "table_prefix": {"type": "str", "default": "wp_"},
                    "database": {
                        "type": "dict",
                        "required": True,
                        "options": {
                            "name": text,
                            "user": text,
                            "password": secret,
                            "host": {"type": "str", "default": "localhost"},
                        },
                    },
                },
            },
            "library": {"type": "path", "default": "/usr/local/lib/lemp"},
            "parallel": {"type": "int", "default": 2},
        },
        supports_check_mode=True,
        no_log=True,  # keeps the arguments out of the host's log
    )
    sites, library = module.params["sites"], module.params["library"]
    due = find_due(sites, library)
    if module.check_mode:
        outcomes = [("due", "")] * len(due)
    else:
        with ThreadPoolExecutor(max_workers=max(module.params["parallel"], 1)) as pool:
            outcomes = list(pool.map(lambda site: install(site, library), due))
    result = dict.fromkeys((site["name"] for site in sites), "nothing")
    result.update({site["name"]: outcome for site, (outcome, _) in zip(due, outcomes)})
    failed = [f"{site['name']} ({reason})" for site, (outcome, reason) in zip(due, outcomes) if outcome == "failed"]
    quiet: dict[str, Any] = {"sites": result, "invocation": {}, "changed": bool(set(result.values()) & CHANGES)}
    if failed:
        module.fail_json(msg=f"app_sites: WordPress could not make its tables for {', '.join(failed)}.", **quiet)
    module.exit_json(**quiet)


if __name__ == "__main__":
    main()
