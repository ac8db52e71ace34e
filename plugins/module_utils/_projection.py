# GNU General Public License v3.0+ (see LICENSE)
"""Projections: completed sites (see ``_site.complete``) as the input of one role each.

Pure functions. A role never sees ``lemp_sites``; it takes the list made here, or the same list written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ._app import OBJECT_CACHE
from ._plan.model import is_pinned
from ._plan.timeouts import request_timeouts
from ._postgresql import POOLER_PORT
from ._redis import socket_of
from ._site import DATABASE_PRIVILEGES, ENGINES, Site

SOCKET_ROOT = "/run/php-fpm"

# By engine: PHP's extension, and what Laravel calls it. Its own mariadb is of version 11 and later, mysql serves all.
DATABASE_EXTENSIONS = {"mariadb": "mysql", "postgresql": "pgsql"}
LARAVEL_CONNECTIONS = {"mariadb": "mysql", "postgresql": "pgsql"}

MEMCACHED_SOCKET = "/run/memcached/memcached.sock"
MEMCACHED_PORT = 11211

# Redis' instances by what they are for, with the port of one that sites on other hosts reach.
REDIS_PORTS = {"cache": 6379, "session": 6380, "queue": 6381}
# What the plan does not want to know of a pool.
POOL_SECRETS = ("env", "session_save_path")
# What of an instance the plan wants to know.
REDIS_PLANNED = ("name", "use", "maxmemory_mb", "persistent", "extra_clients", "maxclients")


def nginx_servers(sites: Iterable[Site]) -> list[dict[str, Any]]:
    """``nginx_servers``: one server block per site."""
    return [_nginx_server(site) for site in sites]


def _nginx_server(site: Site) -> dict[str, Any]:
    server: dict[str, Any] = {
        "name": site["name"],
        "kind": site["kind"],
        "domains": site["domains"],
        "url": site["url"],
        "certificate": site["tls"]["certificate"],
        "key": site["tls"]["key"],
        **site["nginx"],
    }
    if site["kind"] == "proxy":
        server["proxy_url"] = site["proxy"]["url"]
        server["proxy_timeout_seconds"] = site["proxy"]["timeout_seconds"]
        return server
    server["root"] = site["root"]
    if site["kind"] == "php":
        server["php_socket"] = _socket(site)
        server["php_timeout_seconds"] = request_timeouts(site["php"])["fastcgi_read_timeout"]
    if site["wordpress"] and site["wordpress"]["source"] == "package":
        server["aliases"] = [{"path": "/wp-content/", "root": site["home"]}]
    return server


def _socket(site: Site) -> str:
    return f"{SOCKET_ROOT}/{site['name']}.sock"


def nginx_user_groups(sites: Iterable[Site]) -> list[str]:
    """Groups that let the web server read the sites' static files."""
    return [site["user"] for site in sites if site["kind"] != "proxy"]


def php_fpm_pools(sites: Iterable[Site]) -> list[dict[str, Any]]:
    """``php_fpm_pools``: one pool per PHP site."""
    return [_php_fpm_pool(site) for site in sites if site["kind"] == "php"]


def _php_fpm_pool(site: Site) -> dict[str, Any]:
    php = site["php"]
    body_size_mb = site["nginx"]["client_max_body_size_mb"]
    paths = [site["home"], site["root"]]
    if site["wordpress"]:
        paths += ["/usr/share/php", "/usr/share/javascript", f"/etc/wordpress/config-{site['domains'][0]}.php"]
        paths += [OBJECT_CACHE] if site["cache"] else []
    pool = {
        "name": site["name"],
        "user": site["user"],
        "home": site["home"],
        "socket": _socket(site),
        "version": php["version"],
        "application": php["application"],
        "weight": php["weight"],
        "memory_limit_mb": php["memory_limit_mb"],
        "max_execution_time_seconds": php["max_execution_time_seconds"],
        "request_terminate_timeout_seconds": request_timeouts(php)["request_terminate_timeout"],
        "post_max_size_mb": body_size_mb,
        "extensions": sorted({*php["extensions"], *_extensions(site)}),
        "open_basedir": sorted(set(paths)),
        "settings": php["settings"],
        **_sessions(site),
    }
    if php["env"] is not None:
        pool["env"] = _environment(site)
    return {**pool, **{key: php[key] for key in ("worker_memory_mb", "max_children") if php[key] is not None}}


def _extensions(site: Site) -> list[str]:
    extensions = [DATABASE_EXTENSIONS[site["database"]["engine"]]] if site["database"] else []
    if site["cache"]:
        extensions.append(site["cache"]["engine"])
    return extensions + (["curl", "gd", "intl", "mbstring", "xml", "zip"] if site["wordpress"] else [])


def _sessions(site: Site) -> dict[str, Any]:
    """Where PHP keeps the sessions of a site that wants them in Redis; the path holds its password."""
    if not (site["cache"] and site["cache"]["sessions"]):
        return {}
    host, port = _redis_address(site, "session")
    server = f"tls://{_in_url(host)}:{port}" if port else f"unix://{host}"
    given = {"auth[]": [site["name"], site["cache"]["password"]], "prefix": [f"{_key_prefix(site)}session:"], "timeout": ["5"]}
    if site["cache"]["ca"]:
        given["stream[cafile]"] = [site["cache"]["ca"]]
    query = "&".join(f"{key}={quote(value, safe='')}" for key, values in given.items() for value in values)
    return {"session_save_handler": "redis", "session_save_path": f"{server}?{query}"}


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _key_prefix(site: Site) -> str:
    return f"{site['name']}:"


def _redis_address(site: Site, instance: str) -> tuple[str, int]:
    """Socket and 0, or host and port, of one of the site's instances."""
    host = site["cache"]["host"]
    return (socket_of(instance), 0) if host == "localhost" else (host, REDIS_PORTS[instance])


def _memcached_address(site: Site) -> tuple[str, int]:
    host = site["cache"]["host"]
    return (MEMCACHED_SOCKET, 0) if host == "localhost" else (host, MEMCACHED_PORT)


def _environment(site: Site) -> dict[str, str]:
    """What Laravel's shipped configuration reads from the environment; other applications take the same names.

    Source: config/{database,cache}.php of https://github.com/laravel/laravel. Its sessions and queues would go to the server of
    the cache, which forgets, so nothing here turns them on; the addresses of their own servers are under names of ours.
    """
    found: dict[str, str] = {}
    database, cache = site["database"], site["cache"]
    if database:
        found |= {
            "DB_CONNECTION": LARAVEL_CONNECTIONS[database["engine"]],
            "DB_HOST": database["host"],
            "DB_DATABASE": database["name"],
            "DB_USERNAME": database["user"],
            "DB_PASSWORD": database["password"],
        }
        if database["engine"] == "postgresql" and database["host"] == "localhost":
            # A directory is where libpq looks for the server's socket.
            found["DB_HOST"] = "/run/postgresql"
        if database["pooled"]:
            found["DB_PORT"] = str(POOLER_PORT)
    if cache and cache["engine"] == "redis":
        found |= {
            "CACHE_STORE": "redis",
            "CACHE_DRIVER": "redis",
            "REDIS_CLIENT": "phpredis",
            "REDIS_USERNAME": site["name"],
            "REDIS_PASSWORD": cache["password"],
            "REDIS_PREFIX": _key_prefix(site),
            # Accounts are kept apart by the names of keys, so everything is in the one database that each instance has.
            "REDIS_CACHE_DB": "0",
        }
        for name, instance in (("", "cache"), ("SESSION_", "session"), ("QUEUE_", "queue")):
            if instance in _instances(site):
                host, port = _redis_address(site, instance)
                found |= {f"REDIS_{name}HOST": f"tls://{host}" if port else host, f"REDIS_{name}PORT": str(port)}
    elif cache:
        host, port = _memcached_address(site)
        found |= {
            "CACHE_STORE": "memcached",
            "CACHE_DRIVER": "memcached",
            "CACHE_PREFIX": _key_prefix(site),
            "MEMCACHED_HOST": host,
            "MEMCACHED_PORT": str(port),
        }
    return {**found, **site["php"]["env"]}


def mariadb_databases(sites: Iterable[Site]) -> list[str]:
    """``mariadb_databases``: names of the sites' schemas."""
    return [site["database"]["name"] for site in _with_engine(sites, "mariadb")]


def mariadb_users(sites: Iterable[Site]) -> list[dict[str, Any]]:
    """``mariadb_users``: one account per site and client host, privileged on the site's own schema only."""
    return [
        {
            "name": site["database"]["user"],
            "host": host,
            "password": site["database"]["password"],
            "privileges": [{"database": site["database"]["name"], "grant": list(DATABASE_PRIVILEGES)}],
        }
        for site in _with_engine(sites, "mariadb")
        for host in site["database"]["client_hosts"]
    ]


def postgresql_databases(sites: Iterable[Site]) -> list[dict[str, Any]]:
    """``postgresql_databases``: one database per site, which belongs to the site's account."""
    return [
        {
            "name": site["database"]["name"],
            "owner": site["database"]["user"],
            **({"pooled": True} if site["database"]["pooled"] else {}),
        }
        for site in _with_engine(sites, "postgresql")
    ]


def postgresql_users(sites: Iterable[Site]) -> list[dict[str, Any]]:
    """``postgresql_users``: one account per site, which may connect to the site's own database only."""
    return [
        {
            "name": site["database"]["user"],
            "password": site["database"]["password"],
            "databases": [site["database"]["name"]],
            "client_hosts": site["database"]["client_hosts"],
        }
        for site in _with_engine(sites, "postgresql")
    ]


def redis_instances(sites: Iterable[Site], settings: Mapping[str, Mapping[str, Any]] | None = None) -> list[dict[str, Any]]:
    """``redis_instances``: the instances that sites use, each with an account per site that reaches keys of its own only.

    :param settings: what is decided by hand, by name of the instance, such as ``{"session": {"maxmemory_mb": 64}}``.
    :raises ValueError: a setting of an instance that sites never use.
    """
    given = settings or {}
    unknown = sorted(set(given) - set(REDIS_PORTS))
    if unknown:
        raise ValueError(f"lemp_redis has settings of {unknown[0]}, but the instances are {', '.join(REDIS_PORTS)}; name one.")
    known = list(sites)
    found = []
    for name, port in REDIS_PORTS.items():
        users = [site for site in known if name in _instances(site)]
        if not users:
            continue
        is_remote = any(site["cache"]["host"] != "localhost" for site in users)
        found.append(
            {
                "name": name,
                "use": name,
                "port": port if is_remote else 0,
                "users": [
                    {"name": site["name"], "password": site["cache"]["password"], "key_prefix": _key_prefix(site)}
                    for site in users
                ],
                **{key: value for key, value in given.get(name, {}).items() if is_pinned(value)},
            }
        )
    return found


def _instances(site: Site) -> list[str]:
    """Redis' instances that a site uses."""
    cache = site["cache"]
    if not cache or cache["engine"] != "redis":
        return []
    return ["cache", *(["session"] if cache["sessions"] else []), *(["queue"] if cache["queue"] else [])]


def _with_engine(sites: Iterable[Site], engine: str) -> list[Site]:
    return [site for site in sites if site["database"] and site["database"]["engine"] == engine]


def certificates(sites: Iterable[Site]) -> list[dict[str, Any]]:
    """``certbot_certificates``: one certificate per site."""
    return [
        {
            "name": site["name"],
            "domains": site["domains"],
            **{key: value for key, value in site["tls"].items() if value is not None},
        }
        for site in sites
    ]


def app_sites(sites: Iterable[Site]) -> list[dict[str, Any]]:
    """``app_sites``: what runs on each site that has files of its own."""
    return [_app_site(site) for site in sites if site["kind"] != "proxy"]


def _app_site(site: Site) -> dict[str, Any]:
    app: dict[str, Any] = {
        "name": site["name"],
        "user": site["user"],
        "home": site["home"],
        "root": site["root"],
        "domain": site["domains"][0],
        "url": site["url"],
        "recipe": site["app"] or "none",
    }
    if site["wordpress"]:
        app["php_version"] = site["php"]["version"]
        app["wordpress"] = {key: value for key, value in site["wordpress"].items() if value is not None}
        app["database"] = {key: site["database"][key] for key in ("name", "user", "password", "host")}
        if site["cache"]:
            app["cache"] = _object_cache(site)
    return app


def _object_cache(site: Site) -> dict[str, Any]:
    cache = site["cache"]
    if cache["engine"] == "redis":
        host, port = _redis_address(site, "cache")
        account = {"user": site["name"], "password": cache["password"]}
    else:
        host, port = _memcached_address(site)
        account = {}
    if cache["ca"]:
        account["ca"] = cache["ca"]
    return {"engine": cache["engine"], "host": host, "port": port, "prefix": _key_prefix(site), **account}


def host_services(
    sites: Iterable[Site], groups: Iterable[str], host: Mapping[str, Any], pins: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """``lemp_services``: what shares a host of these inventory groups; the plan's input.

    :param groups: the host's inventory groups; ``web`` carries nginx and PHP-FPM, ``database`` the databases, ``cache`` Redis
        and Memcached. Of the last two, a host has what the sites name; MariaDB where no site has a database.
    :param host: what the user pins about the host itself, such as ``memory_mb`` and ``cpus``.
    :param pins: what the user pins by hand, by service, and for ``redis`` by instance; 0 and empty values are not pinned.
    """
    known = list(sites)
    member_of = set(groups)
    services: dict[str, Any] = {}
    if host:
        services["host"] = dict(host)
    if "web" in member_of:
        services["nginx"] = {}
        pools = php_fpm_pools(known)
        if pools:
            services["php_fpm"] = {"pools": [{key: pool[key] for key in pool if key not in POOL_SECRETS} for pool in pools]}
    if "database" in member_of:
        engines = {site["database"]["engine"] for site in known if site["database"]} or {"mariadb"}
        services |= {engine: {} for engine in ENGINES if engine in engines}
        pooled = [database.get("pooled", False) for database in postgresql_databases(known)]
        if any(pooled):
            services["postgresql"] = {"pooled_databases": sum(pooled), "pooled_workers": all(pooled)}
    if "cache" in member_of:
        instances = redis_instances(known, pins.get("redis"))
        if instances:
            services["redis"] = {"instances": [_planned(instance) for instance in instances]}
        if any(site["cache"] and site["cache"]["engine"] == "memcached" for site in known):
            services["memcached"] = {}
    for name, given in pins.items():
        if name in services and name != "redis":
            services[name].update({key: value for key, value in given.items() if is_pinned(value)})
    return services


def _planned(instance: Mapping[str, Any]) -> dict[str, Any]:
    return {key: instance[key] for key in REDIS_PLANNED if key in instance}
