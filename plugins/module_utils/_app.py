# GNU General Public License v3.0+ (see LICENSE)
"""What runs on each site of a host, from role app's input to paths, units and archives. Pure but for new salts."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Site = Mapping[str, Any]

LIBRARY = "/usr/local/lib/lemp"
INSTANCE_FILE = "/etc/lemp/wordpress-{}.conf"
UNITS = "/etc/systemd/system"
PROGRAMS = ("wordpress-check.php", "wordpress-install.php")
UNIT_FILES = ("lemp-wordpress-cron@.service", "lemp-wordpress-cron@.timer")

# Nothing that ends a PHP string in single quotes.
SALT_CHARACTERS = string.ascii_letters + string.digits + "!@#%^&*()-_=+[]{}<>~.,:;|"
SALT_NAMES = tuple(f"{name}_{part}" for name in ("AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE") for part in ("KEY", "SALT"))

# Names go into paths and unit names.
USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
DOMAIN = re.compile(r"[A-Za-z0-9.-]{1,253}")

# Reads every file as PHP would, in one process; what is not there yet is written after it was judged.
PHP_PARSES = """
foreach (array_slice($argv, 1) as $path) {
    try {
        if (is_file($path)) token_get_all(file_get_contents($path), TOKEN_PARSE);
    } catch (ParseError $error) {
        fwrite(STDERR, "{$error->getMessage()} in $path on line {$error->getLine()}\\n");
        exit(1);
    }
}
""".strip()


def probes(sites: Iterable[Site]) -> list[str]:
    """Paths to look for on the host: document roots that have to be there, and marks of archives that were unpacked."""
    return [
        _directory(site["root"]) if site["recipe"] == "php" else _marker(site)
        for site in sites
        if site["recipe"] == "php" or (_is_wordpress(site) and _is_from_archive(site))
    ]


def problems(sites: Sequence[Site], present: Iterable[str]) -> list[str]:
    """What is wrong with ``app_sites``, one sentence each; secrets are never part of one.

    :param present: those of ``probes`` that are on the host.
    """
    there = set(present)
    found = []
    for site in sites:
        problem = _problem(site, there)
        if problem:
            found.append(f"app_sites: {problem}.")
    found += _shared(sites, "name")
    for key in ("user", "home", "domain"):
        found += _shared([site for site in sites if _is_wordpress(site)], key)
    return found


def _problem(site: Site, present: set[str]) -> str | None:
    name = site["name"]
    for key in ("home", "root"):
        if not site[key].startswith("/"):
            return f"{key} of {name} is {site[key]}; write an absolute path"
    if not USER.fullmatch(site["user"]):
        return (
            f"user of {name} is {site['user']}; use up to 31 lower-case letters, digits, _ and -, beginning with a letter or _"
        )
    if not DOMAIN.fullmatch(site["domain"]):
        return f"domain of {name} is {site['domain']}; use letters, digits, . and -"
    if site["recipe"] == "php" and _directory(site["root"]) not in present:
        return (
            f"{name} serves {site['root']}, which is no directory on this host; create it, or leave the app out for an empty "
            "document root"
        )
    return _problem_of_wordpress(site) if site["recipe"] == "wordpress" else None


def _problem_of_wordpress(site: Site) -> str | None:
    name = site["name"]
    if not site.get("wordpress") or not site.get("database"):
        return f"{name} has recipe wordpress, which needs wordpress and database; add what is missing"
    wordpress = site["wordpress"]
    if _is_from_archive(site) and not (wordpress.get("archive_url") and wordpress.get("archive_checksum")):
        return f"{name} has wordpress.source archive, which needs archive_url and archive_checksum; add what is missing"
    if not re.fullmatch(r"\w{1,32}", _prefix(site), re.ASCII):
        return f"wordpress.table_prefix of {name} is {_prefix(site)}; use up to 32 letters, digits and _"
    return None


def _shared(sites: Iterable[Site], key: str) -> list[str]:
    seen: dict[str, str] = {}
    found = []
    for site in sites:
        value = site[key]
        if value in seen:
            remedy = "give each site a name" if key == "name" else f"WordPress needs a {key} for each site"
            found.append(f"app_sites: {site['name']} and {seen[value]} share the {key} {value}; {remedy} of its own.")
        seen[value] = site["name"]
    return found


def plan(
    sites: Sequence[Site], present: Iterable[str] = (), themes: Sequence[str] = (), root: str = "", php: str = "php%s"
) -> dict[str, Any]:
    """What role app does for its sites.

    :param sites: ``app_sites``, without problems.
    :param present: those of ``probes`` that are on the host.
    :param themes: names of the distribution's themes that are installed.
    :param root: where the distribution's package puts WordPress.
    :param php: name of the program of a PHP version, which takes the place of ``%s``.
    :returns: ``wordpress`` (names), ``packages`` (wanted, themes aside), ``needs_theme``, the inputs of
        ``lemp.stack.config_tree``, ``archives`` (to be unpacked) and ``tables`` (the input of
        ``lemp.stack.wordpress_tables``; it holds passwords).
    """
    wordpress = [site for site in sites if _is_wordpress(site)]
    from_archive = [site for site in wordpress if _is_from_archive(site)]
    from_package = [site for site in wordpress if not _is_from_archive(site)]
    there = set(present)
    return {
        "wordpress": [site["name"] for site in wordpress],
        "packages": _packages(from_package, from_archive),
        "needs_theme": bool(from_package) and not themes,
        "users": _users(sites),
        "directories": _directories(sites, bool(wordpress)),
        "links": [
            {"dest": f"{_content(site)}/themes/{theme}", "target": f"{root}/wp-content/themes/{theme}"}
            for site in from_package
            for theme in themes
        ],
        "files": _files(wordpress, php),
        "owned": [INSTANCE_FILE.format("*")],
        "validators": _validators(wordpress, php),
        "units": [{"name": f"lemp-wordpress-cron@{site['user']}.timer"} for site in wordpress],
        "archives": [_archive(site) for site in from_archive if _marker(site) not in there],
        "tables": [_tables(site, php) for site in wordpress],
    }


def gone_timers(changed: Iterable[str], sites: Iterable[Site]) -> list[str]:
    """Timers of sites that left: those whose file is among the changed ones and whose user no site has."""
    kept = {INSTANCE_FILE.format(site["user"]) for site in sites if _is_wordpress(site)}
    before, _, after = INSTANCE_FILE.partition("{}")
    return [
        f"lemp-wordpress-cron@{path[len(before) : -len(after)]}.timer"
        for path in changed
        if path.startswith(before) and path.endswith(after) and path not in kept
    ]


def _is_wordpress(site: Site) -> bool:
    return bool(site["recipe"] == "wordpress")


def _is_from_archive(site: Site) -> bool:
    return bool((site.get("wordpress") or {}).get("source", "package") == "archive")


def _may_change_code(site: Site) -> bool:
    return str(site["wordpress"].get("file_mods", False)).lower() in ("true", "yes", "1")


def _prefix(site: Site) -> str:
    return str(site["wordpress"].get("table_prefix", "wp_"))


def _directory(path: str) -> str:
    """A path that is there only if it is a directory."""
    return f"{path.rstrip('/')}/."


def _content(site: Site) -> str:
    return f"{site['root'] if _is_from_archive(site) else site['home']}/wp-content"


def _archive_id(site: Site) -> str:
    return str(site["wordpress"].get("archive_checksum", "")).rpartition(":")[2][:16]


def _marker(site: Site) -> str:
    return f"{site['root']}/.lemp-{_archive_id(site)}"


def _php(site: Site, php: str) -> str:
    return php.replace("%s", str(site.get("php_version") or ""))


def _packages(from_package: Sequence[Site], from_archive: Sequence[Site]) -> list[str]:
    packages = ["php-fpm", "php", "wordpress"] if from_package else []
    if any(site["wordpress"].get("language", "en_US") != "en_US" for site in from_package):
        packages.append("wordpress-l10n")
    return packages + (["tar"] if from_archive else [])


def _users(sites: Iterable[Site]) -> list[dict[str, Any]]:
    users: dict[str, dict[str, Any]] = {}
    for site in sites:
        users.setdefault(site["user"], {"name": site["user"], "comment": f"Site {site['name']}", "home": site["home"]})
    return list(users.values())


def _directories(sites: Iterable[Site], with_wordpress: bool) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}

    def add(path: str, owner: str, group: str, mode: str) -> None:
        found.setdefault(path, {"path": path, "owner": owner, "group": group, "mode": mode})

    for path in ("/etc/lemp", LIBRARY) if with_wordpress else ():
        add(path, "root", "root", "0755")
    add("/srv/www", "root", "root", "0711")
    for site in sites:
        user = site["user"]
        add(site["home"], "root", user, "0750")
        if site["root"].startswith(f"{site['home']}/") and site["recipe"] != "php":
            add(site["root"], "root", user, "0750")
        if _is_wordpress(site):
            content = _content(site)
            code_owner = user if _may_change_code(site) else "root"
            for path in (content, f"{content}/plugins", f"{content}/themes", f"{content}/languages"):
                add(path, code_owner, user, "0750")
            add(f"{content}/uploads", user, user, "0750")
    return list(found.values())


def _files(wordpress: Sequence[Site], php: str) -> list[dict[str, Any]]:
    files: list[dict[str, Any]] = []
    if wordpress:
        files += [{"src": f"{path[1:]}.j2", "dest": path} for path in _program_paths()]
        files += [{"src": f"{UNITS[1:]}/{name}.j2", "dest": f"{UNITS}/{name}"} for name in UNIT_FILES]
    for site in wordpress:
        secret = {"group": site["user"], "mode": "0640", "sensitive": True}
        files += [
            # Keys and salts are made once: other ones would log everybody out.
            {"dest": f"{site['home']}/wp-salts.php", "content": salts(), "force": False, **secret},
            {"src": "wordpress/config.php.j2", "dest": _config(site), "vars": {"__app_site": site}, **secret},
            {
                "src": "etc/lemp/wordpress.conf.j2",
                "dest": INSTANCE_FILE.format(site["user"]),
                "vars": {"__app_site": site, "__app_php": _php(site, php)},
            },
        ]
    return files


def _program_paths() -> list[str]:
    return [f"{LIBRARY}/{name}" for name in PROGRAMS]


def _config(site: Site) -> str:
    return f"{site['home']}/wp-config.php" if _is_from_archive(site) else f"/etc/wordpress/config-{site['domain']}.php"


def salts() -> str:
    """New keys and salts as WordPress reads them."""
    lines = (f"define('{name}', '{''.join(secrets.choice(SALT_CHARACTERS) for _ in range(64))}');" for name in SALT_NAMES)
    return "\n".join(["<?php", *lines, ""])


def _validators(wordpress: Sequence[Site], php: str) -> list[list[str]]:
    paths = _program_paths() + [_config(site) for site in wordpress]
    return [[_php(wordpress[0], php), "-r", PHP_PARSES, "--", *paths]] if wordpress else []


def _archive(site: Site) -> dict[str, Any]:
    wordpress = site["wordpress"]
    return {
        "name": site["name"],
        "url": wordpress["archive_url"],
        "checksum": wordpress["archive_checksum"],
        "path": f"/var/cache/lemp-wordpress-{_archive_id(site)}.tar.gz",
        "root": site["root"],
        "user": site["user"],
        "content": _content(site),
        "may_change_code": _may_change_code(site),
        "marker": _marker(site),
    }


def _tables(site: Site, php: str) -> dict[str, Any]:
    wordpress = site["wordpress"]
    return {
        **{key: site[key] for key in ("name", "user", "root", "domain")},
        **{key: wordpress[key] for key in ("title", "admin_user", "admin_email", "admin_password")},
        "language": wordpress.get("language", "en_US"),
        "table_prefix": _prefix(site),
        "php": _php(site, php),
        "database": {key: site["database"][key] for key in ("name", "user", "password", "host") if key in site["database"]},
    }
