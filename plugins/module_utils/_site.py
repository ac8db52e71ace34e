# GNU General Public License v3.0+ (see LICENSE)
"""The site: one checked, completed description that every role's input is projected from.

Pure functions. ``complete`` turns the ``lemp_sites`` a user wrote into items in which every key is present; the functions
below it project completed items onto the input of one role each.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ._mariadb import matches_nobody
from ._plan.php_fpm import APPLICATIONS

Site = dict[str, Any]

SITES_ROOT = "/srv/www"
TLS_ROOT = "/etc/ssl/lemp"

KINDS = ("php", "static", "proxy")
APPS = ("wordpress", "php")
ENGINES = ("mariadb", "postgresql")
CACHE_ENGINES = ("redis", "memcached")
ISSUERS = ("selfsigned", "files")
WORDPRESS_SOURCES = ("package", "archive")

# What WordPress, its upgrader and ordinary PHP applications use on their own schema; nothing global, no GRANT OPTION.
DATABASE_PRIVILEGES = (
    "ALTER",
    "CREATE",
    "CREATE TEMPORARY TABLES",
    "CREATE VIEW",
    "DELETE",
    "DROP",
    "INDEX",
    "INSERT",
    "LOCK TABLES",
    "REFERENCES",
    "SELECT",
    "SHOW VIEW",
    "TRIGGER",
    "UPDATE",
)

# Accounts that Debian, Ubuntu and EL ship; a site of that name would take over a system user, group or schema.
RESERVED_NAMES = frozenset(
    "adm admin ansible apache audio backup bin cdrom certbot chrony crontab daemon dba dbus debian dialout dip disk "
    "docker ec2_user fax floppy ftp games git gnats halt information_schema input irc kmem kvm list lp mail man "
    "memcached messagebus mysql netdev news nginx nobody nogroup operator performance_schema php pi plugdev polkitd "
    "postfix postgres proxy redis render rocky root rtkit sasl sgx shadow shutdown src ssh sshd staff sudo sync sys "
    "syslog systemd tape test tss tty ubuntu users utmp uucp uuidd vagrant valkey video voice wheel www".split()
)

# Databases and accounts that belong to the server itself, by engine. Source: https://www.postgresql.org/docs/current/ (CREATE
# ROLE refuses public, none and all that begins with pg_).
SERVER_DATABASES = {"mariadb": RESERVED_NAMES | {"sys"}, "postgresql": {"postgres", "template0", "template1"}}
SERVER_USERS = {"mariadb": {"root", "mysql", "mariadb_sys"}, "postgresql": {"postgres", "public", "none"}}
LONGEST_NAME = {"mariadb": (64, 32), "postgresql": (63, 63)}

# Users that no site can be named after, because of their hyphen or underscore, but that could be written as `user`.
RESERVED_USER_PREFIXES = ("_", "systemd-", "www-data")

NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,30}")
USER_PATTERN = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
DOMAIN_PATTERN = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
URL_PATTERN = re.compile(r"(https?)://(\[[0-9a-f:]+\]|[^/:\s?#]+)(?::(\d{1,5}))?")
PROXY_PATTERN = re.compile(r"https?://(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?|http://unix:/[\w./-]+")
PATH_PATTERN = re.compile(r"/[\w.@+/-]+")
VARIABLE_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
CACHE_HOST_PATTERN = re.compile(r"[A-Za-z0-9_.:-]+")
HOST_PATTERN = re.compile(r"[A-Za-z0-9_.:%/-]+")
SETTING_PATTERN = re.compile(r"[A-Za-z0-9_.]+")
SOCKET_PATTERN = re.compile(r"/[\w./-]+")

# key: type, or a nested table; `dict` leaves the keys to the user
SITE_KEYS: dict[str, Any] = {
    "name": str,
    "domains": list,
    "url": str,
    "kind": str,
    "app": str,
    "user": str,
    "root": str,
    "wordpress": {
        "title": str,
        "admin_user": str,
        "admin_email": str,
        "admin_password": str,
        "language": str,
        "source": str,
        "archive_url": str,
        "archive_checksum": str,
        "table_prefix": str,
        "file_mods": bool,
    },
    "php": {
        "version": str,
        "application": str,
        "worker_memory_mb": int,
        "max_children": int,
        "weight": int,
        "memory_limit_mb": int,
        "max_execution_time_seconds": int,
        "extensions": list,
        "settings": dict,
        "env": (bool, dict),
    },
    "database": {
        "engine": str,
        "name": str,
        "user": str,
        "password": str,
        "host": str,
        "client_hosts": list,
        "pooled": bool,
    },
    "cache": {"engine": str, "password": str, "host": str, "ca": str, "sessions": bool, "queue": bool},
    "tls": {"issuer": str, "certificate_pem": str, "key_pem": str},
    "nginx": {
        "client_max_body_size_mb": int,
        "hsts_max_age_seconds": int,
        "static_max_age_seconds": int,
        "upload_paths": list,
    },
    "proxy": {"url": str, "timeout_seconds": int},
}

SECRET_KEYS = frozenset({"password", "admin_password", "key_pem", "env"})

TYPE_NAMES = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    list: "a list of strings",
    dict: "a dictionary",
    (bool, dict): "true, or a dictionary of variables",
}


class SiteError(ValueError):
    """A site cannot be used as written; the message is one sentence naming the key, its value and the remedy."""


def complete(sites: Any) -> list[Site]:
    """Check ``lemp_sites`` and fill in everything that was left out.

    :param sites: the list as the user wrote it.
    :returns: one dict per site with every key present; ``php``, ``database``, ``cache``, ``wordpress`` and ``proxy`` are
        ``None`` where they do not apply.
    :raises SiteError: the first thing that is wrong.
    """
    if isinstance(sites, (str, Mapping)) or not isinstance(sites, Sequence):
        raise SiteError(f"lemp_sites is {_kind_of(sites)}, but must be a list of sites, each with a name and domains.")
    completed = [_complete_site(index, site) for index, site in enumerate(sites)]
    _refuse_shared(completed, "name", lambda site: [site["name"]], "give each site a name of its own")
    _refuse_shared(completed, "user", lambda site: [site["user"]], "give each site a Unix user of its own")
    _refuse_shared(completed, "domain", lambda site: site["domains"], "a domain can belong to one site only")
    with_database = [site for site in completed if site["database"]]
    _refuse_shared(with_database, "database", lambda site: [site["database"]["name"]], "give each site its own database")
    _refuse_shared(with_database, "database user", lambda site: [site["database"]["user"]], "give each site its own user")
    return completed


def _complete_site(index: int, site: Any) -> Site:
    if not isinstance(site, Mapping):
        raise SiteError(f"lemp_sites[{index}] is {_kind_of(site)}, but must be a dictionary with a name and domains.")
    given_name = site.get("name")
    where = f"lemp_sites[{index}]" + (f" ({given_name})" if isinstance(given_name, str) and given_name.isprintable() else "")
    _check_keys(where, site, SITE_KEYS)
    name = _name(where, site)
    domains = _domains(where, site)
    app = _choice(where, site, "app", APPS, default=None)
    kind = _choice(where, site, "kind", KINDS, default="php")
    if app and kind != "php":
        raise SiteError(f"{where}: kind is {_show(kind)}, but app {app} needs PHP; leave kind out or remove app.")
    for key, applies in (("php", kind == "php"), ("proxy", kind == "proxy"), ("wordpress", app == "wordpress")):
        if key in site and not applies:
            raise SiteError(f"{where}: {key} is set, but the site is {_kind_sentence(kind, app)}; remove {key} or change that.")
    home = f"{SITES_ROOT}/{name}"
    issuer = _choice(where, site.get("tls", {}), "tls.issuer", ISSUERS, default="selfsigned")
    wordpress = _wordpress(where, site) if app == "wordpress" else None
    php = _php(where, site, app) if kind == "php" else None
    database = _database(where, site, name, app)
    cache = _cache(where, site, name, kind, app)
    if php and php["env"] is not None:
        _check_environment(where, {"database.password": database, "cache.password": cache}, php["env"])
    return {
        "name": name,
        "user": _user(where, site, name),
        "home": home,
        "domains": domains,
        "url": _url(where, site, domains),
        "kind": kind,
        "app": app,
        "root": _root(where, site, home, wordpress),
        "wordpress": wordpress,
        "php": php,
        "database": database,
        "cache": cache,
        "tls": _tls(where, site, name, issuer),
        "nginx": _nginx(where, site, app, issuer),
        "proxy": _proxy(where, site) if kind == "proxy" else None,
    }


def _kind_sentence(kind: str, app: str | None) -> str:
    return f"of kind {kind}" + (f" with app {app}" if app else " without an app")


def _check_keys(where: str, given: Mapping[str, Any], known: Mapping[str, Any], prefix: str = "") -> None:
    for key, value in given.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), list(known), n=1, cutoff=0.5)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"known keys are {', '.join(sorted(known))}."
            raise SiteError(f"{where}: unknown key {prefix}{key}; {hint}")
        expected = known[key]
        kind = dict if isinstance(expected, Mapping) else expected
        is_right = isinstance(value, Mapping) if kind is dict else isinstance(value, kind)
        if kind is int and isinstance(value, bool):
            is_right = False
        if kind is list and is_right:
            is_right = all(isinstance(entry, str) for entry in value)
        if not is_right:
            shown = "not shown" if key in SECRET_KEYS else _kind_of(value) if isinstance(expected, Mapping) else _show(value)
            hint = " (quote it)" if kind is str and isinstance(value, (int, float)) else ""
            raise SiteError(f"{where}: {prefix}{key} is {shown}, but must be {TYPE_NAMES[kind]}{hint}.")
        if isinstance(expected, Mapping):
            _check_keys(where, value, expected, prefix=f"{prefix}{key}.")


def _kind_of(value: Any) -> str:
    """Name the kind of a value that is not shown, because there may be a password in it."""
    if isinstance(value, Mapping):
        return "a dictionary"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, Sequence):
        return "a list"
    return str(value)


def _show(value: Any) -> str:
    if isinstance(value, Mapping) or (
        isinstance(value, Sequence) and not all(isinstance(entry, (str, int)) for entry in value)
    ):
        return _kind_of(value)
    text = repr(str(value)) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _name(where: str, site: Mapping[str, Any]) -> str:
    if "name" not in site:
        raise SiteError(f"{where}: name is missing; give the site a short name such as shop.")
    name: str = site["name"]
    if not NAME_PATTERN.fullmatch(name):
        raise SiteError(
            f"{where}: name is {_show(name)}, but a Unix user, a database and files are named after it; "
            "use 1 to 31 lower-case letters, digits or _, beginning with a letter."
        )
    if name in RESERVED_NAMES:
        raise SiteError(f"{where}: name {_show(name)} belongs to the operating system or the database; choose another name.")
    return name


def _user(where: str, site: Mapping[str, Any], name: str) -> str:
    user: str = _matching(where, site, "user", USER_PATTERN, default=name, remedy="use lower-case letters, digits, _ and -")
    if user in RESERVED_NAMES or user.startswith(RESERVED_USER_PREFIXES):
        raise SiteError(f"{where}: user {_show(user)} belongs to the operating system; choose another user.")
    return user


def _domains(where: str, site: Mapping[str, Any]) -> list[str]:
    domains: list[str] = list(site.get("domains", []))
    if not domains:
        raise SiteError(f"{where}: domains is missing or empty; list at least one domain, the canonical one first.")
    for domain in domains:
        if not DOMAIN_PATTERN.fullmatch(domain):
            raise SiteError(
                f"{where}: domains contains {_show(domain)}, which is no domain name; write it in lower case, "
                "without scheme, port or path, internationalised names in Punycode."
            )
    return domains


def _choice(where: str, given: Mapping[str, Any], dotted: str, choices: Sequence[str], default: str | None) -> Any:
    value = given.get(dotted.rpartition(".")[2], default)
    if value is not None and value not in choices:
        raise SiteError(f"{where}: {dotted} is {_show(value)}, but must be one of {', '.join(choices)}.")
    return value


def _matching(
    where: str, given: Mapping[str, Any], dotted: str, pattern: re.Pattern[str], default: str | None, remedy: str
) -> Any:
    value = given.get(dotted.rpartition(".")[2], default)
    if value != default and not pattern.fullmatch(value):
        raise SiteError(f"{where}: {dotted} is {_show(value)}, which cannot be used; {remedy}.")
    return value


def _number(where: str, given: Mapping[str, Any], dotted: str, default: int | None, low: int, high: int) -> int | None:
    value: int | None = given.get(dotted.rpartition(".")[2], default)
    if value is not None and not low <= value <= high:
        raise SiteError(f"{where}: {dotted} is {value}, but must lie between {low} and {high}.")
    return value


def _url(where: str, site: Mapping[str, Any], domains: list[str]) -> str:
    url: str = site.get("url", f"https://{domains[0]}")
    match = URL_PATTERN.fullmatch(url)
    if not match or match[1] != "https" or match[2] != domains[0] or not 0 < int(match[3] or 443) < 65536:
        raise SiteError(
            f"{where}: url is {_show(url)}, but must be https:// and the first domain ({domains[0]}), "
            "with a port where visitors use another one than 443, and without a path."
        )
    return url


def _root(where: str, site: Mapping[str, Any], home: str, wordpress: Mapping[str, Any] | None) -> str:
    if wordpress:
        if "root" in site:
            raise SiteError(f"{where}: root is set, but app wordpress decides its own document root; remove root.")
        return "/usr/share/wordpress" if wordpress["source"] == "package" else f"{home}/public"
    if site.get("app") == "php" and "root" not in site:
        raise SiteError(f"{where}: app php serves an existing directory; name it in root, or use kind: php for an empty one.")
    root: str = _matching(where, site, "root", PATH_PATTERN, f"{home}/public", "write an absolute path without blanks")
    if ".." in root.split("/") or root.rstrip("/").count("/") < 2:
        raise SiteError(f"{where}: root is {_show(root)}; name a directory of its own at least two levels below /.")
    return root.rstrip("/")


def _wordpress(where: str, site: Mapping[str, Any]) -> Site:
    given = site.get("wordpress", {})
    for key in ("title", "admin_user", "admin_email", "admin_password"):
        if not given.get(key):
            remedy = "take it from a vault" if key == "admin_password" else "WordPress cannot be installed without it"
            raise SiteError(f"{where}: wordpress.{key} is missing; {remedy}.")
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", given["admin_email"]):
        raise SiteError(f"{where}: wordpress.admin_email is {_show(given['admin_email'])}, which is no e-mail address.")
    source = _choice(where, given, "wordpress.source", WORDPRESS_SOURCES, default="package")
    if source == "archive" and not (given.get("archive_url") and given.get("archive_checksum")):
        raise SiteError(
            f"{where}: wordpress.source is 'archive', which needs wordpress.archive_url and wordpress.archive_checksum "
            "(sha256:... of the file)."
        )
    checksum = re.compile(r"sha(256:[0-9a-f]{64}|512:[0-9a-f]{128})")
    _refuse_example(where, "wordpress.admin_password", given["admin_password"])
    return {
        "title": given["title"],
        "admin_user": _matching(
            where, given, "wordpress.admin_user", re.compile(r"[\w.@ -]{1,60}"), None, "use letters, digits, _ . @ and -"
        ),
        "admin_email": given["admin_email"],
        "admin_password": given["admin_password"],
        "language": _matching(
            where, given, "wordpress.language", re.compile(r"[a-zA-Z_]{2,20}"), "en_US", "use a locale such as de_DE"
        ),
        "source": source,
        "archive_url": given.get("archive_url"),
        "archive_checksum": _matching(
            where, given, "wordpress.archive_checksum", checksum, None, "write sha256: and 64 hexadecimal digits"
        ),
        "table_prefix": _matching(
            where, given, "wordpress.table_prefix", re.compile(r"\w{1,32}"), "wp_", "use letters, digits and _"
        ),
        "file_mods": given.get("file_mods", False),
    }


def _php(where: str, site: Mapping[str, Any], app: str | None) -> Site:
    given = site.get("php", {})
    settings = dict(given.get("settings", {}))
    for key, value in settings.items():
        if not SETTING_PATTERN.fullmatch(str(key)) or not isinstance(value, (str, int, float, bool)) or "\n" in str(value):
            raise SiteError(
                f"{where}: php.settings has {_show(key)} set to {_show(value)}; use php.ini names and plain values."
            )
    return {
        "version": _matching(
            where, given, "php.version", re.compile(r"\d\.\d"), "", 'write major.minor in quotes, such as "8.4"'
        ),
        "application": _choice(where, given, "php.application", tuple(APPLICATIONS), default=app or "php"),
        "worker_memory_mb": _number(where, given, "php.worker_memory_mb", None, 4, 65536),
        "max_children": _number(where, given, "php.max_children", None, 1, 10000),
        "weight": _number(where, given, "php.weight", 1, 1, 1000),
        "memory_limit_mb": _number(where, given, "php.memory_limit_mb", 256, 16, 65536),
        "max_execution_time_seconds": _number(where, given, "php.max_execution_time_seconds", 60, 1, 86400),
        "extensions": list(given.get("extensions", [])),
        "settings": settings,
        "env": _env(where, given, app),
    }


def _env(where: str, given: Mapping[str, Any], app: str | None) -> dict[str, str] | None:
    """Variables besides those that follow from the site; None where the site asks for none at all."""
    if not given.get("env") and given.get("env") != {}:
        return None
    if app == "wordpress":
        raise SiteError(f"{where}: php.env is set, but WordPress reads its own wp-config.php; remove php.env.")
    variables = {} if given["env"] is True else given["env"]
    for name, value in variables.items():
        if not VARIABLE_PATTERN.fullmatch(str(name)):
            raise SiteError(f"{where}: php.env has a variable {_show(name)}; use letters, digits and _ in its name.")
        if not isinstance(value, (str, int, float)) or re.search(r"[\x00-\x1f\x7f]", str(value)):
            raise SiteError(f"{where}: php.env gives {name} a value that is no printable text on one line; write one.")
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in variables.items()}


def _check_environment(where: str, tables: Mapping[str, Site | None], env: Mapping[str, str]) -> None:
    """PHP-FPM takes a value that begins with $ for the name of another variable."""
    values = {dotted: str(table["password"] or "") for dotted, table in tables.items() if table}
    values |= {f"php.env.{name}": value for name, value in env.items()}
    for dotted, value in values.items():
        if value.startswith("$"):
            raise SiteError(
                f"{where}: {dotted} begins with $, which PHP-FPM cannot hand on by php.env; choose another, or remove php.env."
            )


def _database(where: str, site: Mapping[str, Any], name: str, app: str | None) -> Site | None:
    if "database" not in site and app != "wordpress":
        return None
    given = site.get("database", {})
    engine = _choice(where, given, "database.engine", ENGINES, default="mariadb")
    if app == "wordpress" and engine != "mariadb":
        raise SiteError(f"{where}: database.engine is {_show(engine)}, but WordPress needs mariadb; remove database.engine.")
    password = _password(where, given, "database.password")
    longest_database, longest_user = LONGEST_NAME[engine]
    identifier, remedy = r"[A-Za-z0-9_]{1,%d}", "use up to %d letters, digits or _"
    user = _matching(where, given, "database.user", re.compile(identifier % longest_user), name, "use letters, digits and _")
    database = _matching(
        where, given, "database.name", re.compile(identifier % longest_database), name, remedy % longest_database
    )
    if database in SERVER_DATABASES[engine]:
        raise SiteError(f"{where}: database.name {_show(database)} belongs to the server; choose another name.")
    if user in SERVER_USERS[engine] or (engine == "postgresql" and user.startswith("pg_")):
        raise SiteError(f"{where}: database.user {_show(user)} is an administrator of the server; choose another name.")
    host = _matching(where, given, "database.host", HOST_PATTERN, "localhost", "use a host name or an address")
    client_hosts = list(given.get("client_hosts", ["localhost"]))
    for client in client_hosts:
        _check_client(where, client, engine)
    if host != "localhost" and "client_hosts" not in given:
        raise SiteError(
            f"{where}: database.host is {_show(host)}, so the site connects over the network; "
            "list in database.client_hosts the addresses it connects from."
        )
    pooled = given.get("pooled", False)
    if pooled and (engine != "postgresql" or host != "localhost" or "localhost" not in client_hosts):
        raise SiteError(
            f"{where}: database.pooled is set, but the pooler is PgBouncer on the host of PostgreSQL itself; set "
            "database.engine to postgresql and leave database.host and client_hosts out, or remove database.pooled."
        )
    return {
        "engine": engine,
        "name": database,
        "user": user,
        "password": password,
        "host": host,
        "client_hosts": client_hosts,
        "pooled": pooled,
    }


def _check_client(where: str, client: str, engine: str) -> None:
    if not HOST_PATTERN.fullmatch(client):
        raise SiteError(f"{where}: database.client_hosts contains {_show(client)}; use host names, addresses or a.b.c.%.")
    if engine == "mariadb" and matches_nobody(client):
        raise SiteError(
            f"{where}: database.client_hosts contains {_show(client)}, which MariaDB matches with nobody; write a network as "
            "10.0.0.% or 10.0.0.0/255.255.255.0."
        )
    if engine == "postgresql" and client != "localhost":
        try:
            ipaddress.ip_network(client, strict=True)
        except ValueError:
            raise SiteError(
                f"{where}: database.client_hosts contains {_show(client)}, which PostgreSQL cannot match; use localhost, an "
                "address or a network such as 10.0.0.0/24."
            ) from None


def _cache(where: str, site: Mapping[str, Any], name: str, kind: str, app: str | None) -> Site | None:
    if "cache" not in site:
        return None
    if kind != "php":
        raise SiteError(f"{where}: cache is set, but the site is {_kind_sentence(kind, app)}; remove cache.")
    given = site["cache"]
    if "engine" not in given:
        raise SiteError(f"{where}: cache.engine is missing; write redis or memcached, or remove cache.")
    engine = _choice(where, given, "cache.engine", CACHE_ENGINES, default=None)
    if engine == "redis":
        if name == "default":
            raise SiteError(f"{where}: name {_show(name)} is that of Redis' own account; choose another name, or remove cache.")
        password: str | None = _password(where, given, "cache.password")
    else:
        password = None
        for key, reason in (
            ("password", "has no accounts"),
            ("sessions", "has no accounts, so that other sites could read them"),
            ("queue", "forgets what it holds"),
        ):
            if given.get(key):
                raise SiteError(f"{where}: cache.{key} is set, but memcached {reason}; use redis, or remove cache.{key}.")
    host = _matching(where, given, "cache.host", CACHE_HOST_PATTERN, "localhost", "use a host name or an address")
    # Where both are on one host, they meet at a socket.
    host = "localhost" if host in ("127.0.0.1", "::1") else host
    certificates = _matching(where, given, "cache.ca", PATH_PATTERN, None, "write the absolute path of a PEM file")
    if certificates and (engine != "redis" or host == "localhost"):
        raise SiteError(
            f"{where}: cache.ca is set, but TLS is for a Redis on another host; set cache.host, or remove cache.ca."
        )
    return {
        "engine": engine,
        "password": password,
        "host": host,
        "ca": certificates,
        "sessions": given.get("sessions", False),
        "queue": given.get("queue", False),
    }


def _password(where: str, given: Mapping[str, Any], dotted: str) -> str:
    password: str = given.get(dotted.rpartition(".")[2], "")
    if not password:
        raise SiteError(f"{where}: {dotted} is missing; set it, best from a vault.")
    if re.search(r"[\x00-\x1f\x7f]", password):
        raise SiteError(f"{where}: {dotted} contains a control character; use printable characters only.")
    _refuse_example(where, dotted, password)
    return password


def _refuse_example(where: str, dotted: str, password: str) -> None:
    if password.startswith("change-me"):
        raise SiteError(f"{where}: {dotted} is still the example's; choose one of your own, best in a vault.")


def _tls(where: str, site: Mapping[str, Any], name: str, issuer: str) -> Site:
    given = site.get("tls", {})
    for key, marker in (("certificate_pem", "CERTIFICATE-----"), ("key_pem", "PRIVATE KEY-----")):
        if issuer == "files" and marker not in given.get(key, ""):
            raise SiteError(f"{where}: tls.{key} holds no PEM text, but tls.issuer is 'files'; give it the file's content.")
        if issuer != "files" and key in given:
            raise SiteError(f"{where}: tls.{key} is set, but tls.issuer is {_show(issuer)}; set it to files or remove the key.")
    return {
        "issuer": issuer,
        "certificate_pem": given.get("certificate_pem"),
        "key_pem": given.get("key_pem"),
        "certificate": f"{TLS_ROOT}/{name}/fullchain.pem",
        "key": f"{TLS_ROOT}/{name}/privkey.pem",
    }


def _nginx(where: str, site: Mapping[str, Any], app: str | None, issuer: str) -> Site:
    given = site.get("nginx", {})
    upload_paths = list(given.get("upload_paths", []))
    for path in upload_paths:
        if not re.fullmatch(r"/[\w./-]+/", path):
            raise SiteError(f"{where}: nginx.upload_paths contains {_show(path)}; write URL paths such as /uploads/.")
    if app == "wordpress":
        upload_paths.append("/wp-content/uploads/")
    # A browser that once saw HSTS refuses to go on past a certificate it does not trust, so a self-signed site sends none.
    hsts = 0 if issuer == "selfsigned" else 63072000
    return {
        "client_max_body_size_mb": _number(where, given, "nginx.client_max_body_size_mb", 64, 1, 102400),
        "hsts_max_age_seconds": _number(where, given, "nginx.hsts_max_age_seconds", hsts, 0, 315360000),
        "static_max_age_seconds": _number(where, given, "nginx.static_max_age_seconds", 604800, 0, 31536000),
        "upload_paths": upload_paths,
    }


def _proxy(where: str, site: Mapping[str, Any]) -> Site:
    given = site.get("proxy", {})
    if "url" not in given:
        raise SiteError(f"{where}: proxy.url is missing; a proxy site needs the address of what it stands in front of.")
    return {
        "url": _matching(
            where, given, "proxy.url", PROXY_PATTERN, None, "write http://host:port without a path, or http://unix:/path"
        ),
        "timeout_seconds": _number(where, given, "proxy.timeout_seconds", 60, 1, 86400),
    }


def _refuse_shared(sites: list[Site], what: str, values: Any, remedy: str) -> None:
    owners: dict[str, str] = {}
    for site in sites:
        for value in values(site):
            if value in owners:
                raise SiteError(
                    f"lemp_sites: {what} {_show(value)} is used by {owners[value]} and by {site['name']}; {remedy}."
                    if owners[value] != site["name"] or what == "name"
                    else f"lemp_sites ({site['name']}): {what} {_show(value)} is listed twice; list it once."
                )
            owners[value] = site["name"]
