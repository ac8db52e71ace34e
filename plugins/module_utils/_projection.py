# GNU General Public License v3.0+ (see LICENSE)
"""Projections: completed sites (see ``_site.complete``) as the input of one role each.

Pure functions. A role never sees ``lemp_sites``; it takes the list made here, or the same list written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ._plan.model import is_pinned
from ._plan.timeouts import request_timeouts
from ._site import DATABASE_PRIVILEGES, Site

SOCKET_ROOT = "/run/php-fpm"


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
    }
    return {**pool, **{key: php[key] for key in ("worker_memory_mb", "max_children") if php[key] is not None}}


def _extensions(site: Site) -> list[str]:
    extensions = ["mysql"] if site["database"] else []
    return extensions + (["curl", "gd", "intl", "mbstring", "xml", "zip"] if site["wordpress"] else [])


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
    return app


def host_services(
    sites: Iterable[Site], groups: Iterable[str], host: Mapping[str, Any], pins: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """``lemp_services``: what shares a host of these inventory groups; the plan's input.

    :param groups: the host's inventory groups; ``web`` carries nginx and PHP-FPM, ``database`` the databases.
    :param host: what the user pins about the host itself, such as ``memory_mb`` and ``cpus``.
    :param pins: what the user pins by hand, by service; 0 and empty values are not pinned.
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
            services["php_fpm"] = {"pools": pools}
    if "database" in member_of:
        services["mariadb"] = {}
    for name, given in pins.items():
        if name in services:
            services[name].update({key: value for key, value in given.items() if is_pinned(value)})
    return services
