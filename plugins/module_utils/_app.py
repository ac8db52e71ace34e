# GNU General Public License v3.0+ (see LICENSE)
"""What runs on each site of a host, from role app's input to paths, units and archives. Pure but for new salts."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._php_fpm import for_version

Site = Mapping[str, Any]

LIBRARY = "/usr/local/lib/lemp"
INSTANCE_FILE = "/etc/lemp/wordpress-{}.conf"
UNITS = "/etc/systemd/system"
PROGRAMS = ("wordpress-check.php", "wordpress-install.php", "wordpress-object-cache.php")
# What a site's wp-content/object-cache.php leads to.
OBJECT_CACHE = f"{LIBRARY}/wordpress-object-cache.php"
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


def plan(sites: Sequence[Site], platform: Mapping[str, Any]) -> dict[str, Any]:
    """What role app does for its sites.

    :param sites: ``app_sites``.
    :param platform: ``php`` (name of the program of a PHP version, which takes the place of ``%s``, or its digits that of
        ``%d``), ``wordpress_packages`` (empty where the platform has no WordPress) and ``wordpress_language_packages``.
    :returns: ``problems`` (one sentence each, without secrets; the rest is only there where this is empty), ``existing``
        (applications whose ``path`` has to be there, with the ``problem`` where it is not), ``wordpress`` (names),
        ``packages`` (wanted, themes aside), ``theme_directories`` (which get the distribution's themes), ``object_caches``
        (``path`` of each WordPress' own, and whether one is ``wanted``), inputs of ``lemp.stack.config_tree``, ``instances``
        (files that timers read), ``archives`` (each to be unpacked where its ``marker`` is not there), ``probes`` (all paths
        to look for) and ``tables`` (the input of ``lemp.stack.wordpress_tables``; it holds passwords).
    """
    php = platform["php"]
    found = problems(sites, has_package=bool(platform["wordpress_packages"]))
    if found:
        return {"problems": found, "probes": [], "existing": []}
    wordpress = [site for site in sites if _is_wordpress(site)]
    from_archive = [site for site in wordpress if _is_from_archive(site)]
    from_package = [site for site in wordpress if not _is_from_archive(site)]
    existing = [_existing(site) for site in sites if site["recipe"] == "php"]
    archives = [_archive(site) for site in from_archive]
    caches = [{"path": f"{_content(site)}/object-cache.php", "wanted": bool(site.get("cache"))} for site in wordpress]
    return {
        "problems": [],
        "existing": existing,
        "probes": [
            *(entry["path"] for entry in existing),
            *(archive["marker"] for archive in archives),
            *(cache["path"] for cache in caches),
        ],
        "object_caches": caches,
        "wordpress": [site["name"] for site in wordpress],
        "packages": _packages(from_package, from_archive, platform),
        "theme_directories": [f"{_content(site)}/themes" for site in from_package],
        "users": _users(sites),
        "directories": _directories(sites, bool(wordpress)),
        "files": _files(wordpress, php),
        "owned": [INSTANCE_FILE.format("*")],
        "validators": _validators(wordpress, php),
        "units": [{"name": f"lemp-wordpress-cron@{site['user']}.timer"} for site in wordpress],
        "instances": [INSTANCE_FILE.format(site["user"]) for site in wordpress],
        "archives": archives,
        "tables": [_tables(site, php) for site in wordpress],
    }


def links(directories: Iterable[str], themes: Sequence[str], root: str) -> list[dict[str, str]]:
    """Links to the distribution's themes, as input of ``lemp.stack.config_tree``.

    :param directories: ``theme_directories`` of the plan.
    :param themes: names of the themes that are installed.
    :param root: where the distribution's package puts WordPress.
    """
    return [
        {"dest": f"{directory}/{theme}", "target": f"{root}/wp-content/themes/{theme}"}
        for directory in directories
        for theme in themes
    ]


def object_caches(caches: Iterable[Mapping[str, Any]], found: Iterable[str]) -> dict[str, Any]:
    """Which sites' object caches are links to ours, and which are left alone because somebody else put them there.

    :param caches: ``object_caches`` of the plan.
    :param found: what the probes found: a path, or a link as ``path -> target``.
    :returns: ``links`` and ``owned`` as input of ``lemp.stack.config_tree``, and paths of ``foreign`` ones where ours is
        wanted.
    """
    listed = list(found)
    ours = {line.partition(" -> ")[0] for line in listed if line.endswith(f" -> {OBJECT_CACHE}")}
    taken = {line.partition(" -> ")[0] for line in listed} - ours
    wanted = [cache["path"] for cache in caches if cache["wanted"]]
    return {
        "links": [{"dest": path, "target": OBJECT_CACHE} for path in wanted if path not in taken],
        "owned": sorted(ours & {cache["path"] for cache in caches}),
        "foreign": [path for path in wanted if path in taken],
    }


def problems(sites: Sequence[Site], *, has_package: bool = True) -> list[str]:
    """What is wrong with ``app_sites``, one sentence each; secrets are never part of one.

    :param has_package: whether the platform has a package of WordPress.
    """
    found = []
    for site in sites:
        problem = _problem(site, has_package)
        if problem:
            found.append(f"app_sites: {problem}.")
    found += _shared(sites, "name")
    for key in ("user", "home", "domain"):
        found += _shared([site for site in sites if _is_wordpress(site)], key)
    return found


def _problem(site: Site, has_package: bool) -> str | None:
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
    return _problem_of_wordpress(site, has_package) if site["recipe"] == "wordpress" else None


def _problem_of_wordpress(site: Site, has_package: bool) -> str | None:
    name = site["name"]
    if not site.get("wordpress") or not site.get("database"):
        return f"{name} has recipe wordpress, which needs wordpress and database; add what is missing"
    wordpress = site["wordpress"]
    if not _is_from_archive(site) and not has_package:
        return (
            f"wordpress.source of {name} is package, but this platform has no package of WordPress; use archive, with"
            " archive_url and archive_checksum"
        )
    if _is_from_archive(site) and not (wordpress.get("archive_url") and wordpress.get("archive_checksum")):
        return f"{name} has wordpress.source archive, which needs archive_url and archive_checksum; add what is missing"
    cache = site.get("cache") or {}
    if cache.get("engine") == "redis" and not (cache.get("user") and cache.get("password")):
        return f"cache of {name} is redis, which needs user and password; add what is missing"
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


def _is_wordpress(site: Site) -> bool:
    return bool(site["recipe"] == "wordpress")


def _is_from_archive(site: Site) -> bool:
    return bool(site["wordpress"].get("source", "package") == "archive")


def _may_change_code(site: Site) -> bool:
    return str(site["wordpress"].get("file_mods", False)).lower() in ("true", "yes", "1")


def _prefix(site: Site) -> str:
    return str(site["wordpress"].get("table_prefix", "wp_"))


def _existing(site: Site) -> dict[str, str]:
    return {
        # Such a path is there only if it is a directory.
        "path": f"{site['root'].rstrip('/')}/.",
        "problem": (
            f"app_sites: {site['name']} serves {site['root']}, which is no directory on this host; create it, or leave the app "
            "out for an empty document root."
        ),
    }


def _content(site: Site) -> str:
    return f"{site['root'] if _is_from_archive(site) else site['home']}/wp-content"


def _archive_id(site: Site) -> str:
    return str(site["wordpress"]["archive_checksum"]).rpartition(":")[2][:16]


def _marker(site: Site) -> str:
    return f"{site['root']}/.lemp-{_archive_id(site)}"


def _php(site: Site, php: str) -> str:
    return for_version(str(site.get("php_version") or ""), php)


def _packages(from_package: Sequence[Site], from_archive: Sequence[Site], platform: Mapping[str, Any]) -> list[str]:
    packages = [*platform["wordpress_packages"]] if from_package else []
    if any(site["wordpress"].get("language", "en_US") != "en_US" for site in from_package):
        packages += platform["wordpress_language_packages"]
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
