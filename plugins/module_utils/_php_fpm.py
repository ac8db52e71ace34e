# GNU General Public License v3.0+ (see LICENSE)
"""Role php_fpm: what its inputs must keep to, and which unit each PHP version needs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ._plan.limits import unit_drop_ins
from ._plan.timeouts import execution_seconds, terminate_seconds

SOCKET_DIRECTORY = "/run/php-fpm/"
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# No version of it is the platform's own.
SOURCES_WITHOUT_DEFAULT = ("remi",)


def problems(pools: Sequence[Mapping[str, Any]], source: str, sources: Sequence[str]) -> list[str]:
    """One sentence per rule that the role's inputs break.

    :param pools: ``php_fpm_pools``.
    :param source: ``php_fpm_package_source``.
    :param sources: those that the platform has.
    """
    found = []
    if source not in sources:
        found.append(f"php_fpm_package_source: {source} is not for this platform; use {' or '.join(sources)}.")
    elif source in SOURCES_WITHOUT_DEFAULT and not all(pool.get("version") for pool in pools):
        unnamed = ", ".join(sorted(str(pool["name"]) for pool in pools if not pool.get("version")))
        found.append(f"php_fpm_package_source: {source} has no version of its own; give {unnamed} a version such as 8.4.")
    for key in ("name", "user", "socket"):
        values = sorted(str(pool[key]) for pool in pools)
        if len(set(values)) < len(values):
            found.append(
                f"php_fpm_pools: two pools have the same {key} ({', '.join(values)}); sites can only be kept apart if each pool"
                " has its own."
            )
    for pool in pools:
        socket = str(pool["socket"])
        if not socket.startswith(SOCKET_DIRECTORY) or "/" in socket[len(SOCKET_DIRECTORY) :] or socket == SOCKET_DIRECTORY:
            found.append(f"php_fpm_pools: {pool['name']} has socket {socket}; put it into {SOCKET_DIRECTORY[:-1]}.")
        found += _problems_of_environment(pool)
        wall, processor = terminate_seconds(pool), execution_seconds(pool)
        if wall <= processor:
            found.append(
                f"php_fpm_pools: {pool['name']} has request_terminate_timeout_seconds {wall}, which must exceed its"
                f" max_execution_time_seconds ({processor}); raise the first or lower the second."
            )
    return found


def _problems_of_environment(pool: Mapping[str, Any]) -> list[str]:
    """What PHP-FPM would not hand on as it is written; values are secrets and never shown."""
    found = []
    for name, value in (pool.get("env") or {}).items():
        if not VARIABLE.fullmatch(str(name)):
            found.append(f"env of {pool['name']} has a variable {name!r}; use letters, digits and _ in its name.")
        elif str(value).startswith("$"):
            found.append(
                f"env of {pool['name']} gives {name} a value that begins with $, which PHP-FPM takes for the name of another"
                " variable; choose another value."
            )
        elif re.search(r"[\x00-\x1f\x7f]", str(value)):
            found.append(f"env of {pool['name']} gives {name} a value with a control character; write it on one line.")
    handler, path = str(pool.get("session_save_handler") or "files"), pool.get("session_save_path") or ""
    if bool(path) != (handler != "files"):
        found.append(f"{pool['name']} has session_save_handler {handler}; give it together with session_save_path, or neither.")
    return [f"php_fpm_pools: {sentence}" for sentence in found]


def for_version(version: str, pattern: str) -> str:
    """A pattern of a layout for one version: ``%s`` stands for ``8.4``, ``%d`` for ``84``."""
    return pattern.replace("%s", version).replace("%d", version.replace(".", ""))


def packages(versions: Sequence[str], modules: Sequence[str], layout: Mapping[str, Any]) -> list[str]:
    """Names of the packages that hold PHP's programs and extensions.

    :param versions: such as ``8.4``.
    :param modules: named as Debian's packages are, without what stands for the version: ``fpm``, ``mysql``.
    :param layout: ``package`` (what precedes a module's name) and ``names`` (modules that are named otherwise).
    """
    names = [layout["names"].get(module, module) for module in modules]
    return list(dict.fromkeys(f"{for_version(version, layout['package'])}{name}" for version in versions for name in names))


def host(
    pools: Sequence[Mapping[str, Any]],
    *,
    wanted: Sequence[str],
    running: Sequence[str],
    installed: Sequence[str],
    default_version: str,
    layout: Mapping[str, Any],
    log_dir: str,
    log_group: str,
    plan: Mapping[str, Any],
) -> dict[str, Any]:
    """What PHP-FPM needs on a host, as module config_tree takes it: users, directories, configuration, logs, units.

    :param wanted: versions that are configured.
    :param running: versions that have to run.
    :param installed: versions that are on the host; one that loses its pools ends before another opens their sockets.
    :param layout: ``pool_dir``, ``ini_dir``, ``binary`` and ``service`` of a version, as :func:`for_version` takes them.
    :param plan: what filter plan gave; it names a version's unit ``php_fpm@<version>`` in ``limits``.
    """
    sockets: dict[str, list[str]] = {}
    directories: list[dict[str, Any]] = [
        {"path": "/run/php-fpm"},
        {"path": log_dir, "group": log_group},
        {"path": "/var/lib/php-fpm", "mode": "0711"},
    ]
    for pool in pools:
        sockets.setdefault(_version_of(pool, default_version), []).append(str(pool["socket"]))
        state, user = f"/var/lib/php-fpm/{pool['name']}", pool["user"]
        directories.append({"path": state, "group": user, "mode": "0750"})
        directories += [
            {"path": f"{state}/{name}", "owner": user, "group": user, "mode": "0700"} for name in ("session", "tmp")
        ]
    drop_ins = {
        version: unit_drop_ins(found, for_version(version, layout["service"]))
        for version in running
        for found in [_limits_of(version, default_version, plan["limits"])]
        if found
    }
    ended = [
        {
            "name": for_version(version, layout["service"]),
            "running": False,
            "stop_on": [f"{for_version(version, layout['pool_dir'])}/*"],
        }
        for version in installed
        if version not in running
    ]
    started = [
        {
            "name": for_version(version, layout["service"]),
            # systemd takes a new MemoryMax as it reads its files anew, some versions only once the unit is reloaded too.
            "reload_on": [
                *(f"{directory}/*" for directory in _trees(version, layout)),
                *(file["dest"] for file in drop_ins.get(version, [])[1:]),
            ],
            "reload_execs": True,
            "restart_on": [drop_ins[version][0]["dest"]] if version in drop_ins else [],
            "listen": sockets.get(version, []),
        }
        for version in running
    ]
    return {
        "users": [{"name": pool["user"], "comment": f"Site {pool['name']}", "home": pool["home"]} for pool in pools],
        "directories": directories,
        "files": [
            *_configuration(pools, wanted, default_version, layout, plan),
            # PHP writes them as the pool's user, who may not make files in the directory.
            *(
                {
                    "dest": f"{log_dir}/{pool['name']}.error.log",
                    "content": "",
                    "force": False,
                    "owner": pool["user"],
                    "group": log_group,
                    "mode": "0640",
                }
                for pool in pools
            ),
            *(file for files in drop_ins.values() for file in files),
        ],
        "trees": [directory for version in installed for directory in _trees(version, layout)],
        "validators": [[for_version(version, layout["binary"]), "-t"] for version in running],
        "units": [*ended, *started],
    }


def _version_of(pool: Mapping[str, Any], default_version: str) -> str:
    return str(pool.get("version") or default_version)


def _trees(version: str, layout: Mapping[str, Any]) -> list[str]:
    return [for_version(version, layout["pool_dir"]), for_version(version, layout["ini_dir"])]


def _configuration(
    pools: Sequence[Mapping[str, Any]],
    versions: Sequence[str],
    default_version: str,
    layout: Mapping[str, Any],
    plan: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The files that templates make: two per version, one per pool, and another for its secrets."""
    files: list[dict[str, Any]] = []
    for version in versions:
        pool_dir, ini_dir = _trees(version, layout)
        files += [
            {"src": "php/conf.d/90-lemp.ini.j2", "dest": f"{ini_dir}/90-lemp.ini"},
            {"src": "php/pool.d/lemp-global.conf.j2", "dest": f"{pool_dir}/lemp-global.conf"},
        ]
    for pool in pools:
        pool_dir = for_version(_version_of(pool, default_version), layout["pool_dir"])
        files.append(
            {
                "src": "php/pool.d/lemp-pool.conf.j2",
                "dest": f"{pool_dir}/lemp-{pool['name']}.conf",
                "mode": "0640",
                "vars": {
                    "__php_fpm_pool": pool,
                    "__php_fpm_planned": plan["php_fpm"],
                    "__php_fpm_terminate_seconds": terminate_seconds(pool),
                },
            }
        )
        if pool.get("env") or pool.get("session_save_path"):
            # A second part of the same pool, so that the first can still be shown.
            files.append(
                {
                    "src": "php/pool.d/lemp-pool.secrets.conf.j2",
                    "dest": f"{pool_dir}/lemp-{pool['name']}.secrets.conf",
                    "mode": "0640",
                    "sensitive": True,
                    "vars": {"__php_fpm_pool": pool, "__php_fpm_terminate_seconds": terminate_seconds(pool)},
                }
            )
    return files


def _limits_of(version: str, default_version: str, limits: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Limits of one version's unit; pools that name no version belong to the default one, and count beside its own."""
    own = limits.get(f"php_fpm@{version}", {})
    unnamed = limits.get("php_fpm@", {}) if version == default_version else {}
    if not (own and unnamed):
        return dict(own or unnamed)
    summed = ("MemoryMax", "MemoryHigh", "TasksMax")
    return {key: value + own[key] if key in summed else value for key, value in unnamed.items()}
