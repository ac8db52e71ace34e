# GNU General Public License v3.0+ (see LICENSE)
"""Role php_fpm: what its inputs must keep to, and which unit each PHP version needs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._plan.limits import unit_drop_ins
from ._plan.timeouts import execution_seconds, terminate_seconds

SOCKET_DIRECTORY = "/run/php-fpm/"


def problems(pools: Sequence[Mapping[str, Any]]) -> list[str]:
    """One sentence per rule that the input ``php_fpm_pools`` breaks."""
    found = []
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
        wall, processor = terminate_seconds(pool), execution_seconds(pool)
        if wall <= processor:
            found.append(
                f"php_fpm_pools: {pool['name']} has request_terminate_timeout_seconds {wall}, which must exceed its"
                f" max_execution_time_seconds ({processor}); raise the first or lower the second."
            )
    return found


def host(
    pools: Sequence[Mapping[str, Any]],
    *,
    running: Sequence[str],
    installed: Sequence[str],
    default_version: str,
    service: str,
    config_dir: str,
    binary: str,
    log_group: str,
    limits: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """What pools need beside their configuration, as module config_tree takes it: users, directories, logs, units.

    :param running: versions that have to run.
    :param installed: versions that are on the host; one that loses its pools ends before another opens their sockets.
    :param limits: ``limits`` of the plan, which names a version's unit ``php_fpm@<version>``.
    :param service: unit name, ``config_dir`` directory and ``binary`` program of a version, with ``%s`` for the version.
    """

    def of(version: str, pattern: str) -> str:
        return pattern.replace("%s", version)

    sockets: dict[str, list[str]] = {}
    directories: list[dict[str, Any]] = [
        {"path": "/run/php-fpm"},
        {"path": "/var/log/php-fpm", "group": log_group},
        {"path": "/var/lib/php-fpm", "mode": "0711"},
    ]
    for pool in pools:
        sockets.setdefault(str(pool.get("version") or default_version), []).append(str(pool["socket"]))
        state, user = f"/var/lib/php-fpm/{pool['name']}", pool["user"]
        directories.append({"path": state, "group": user, "mode": "0750"})
        directories += [
            {"path": f"{state}/{name}", "owner": user, "group": user, "mode": "0700"} for name in ("session", "tmp")
        ]
    drop_ins = {
        version: unit_drop_ins(found, of(version, service))
        for version in running
        for found in [_limits_of(version, default_version, limits)]
        if found
    }
    ended = [
        {"name": of(version, service), "running": False, "stop_on": [f"{of(version, config_dir)}/pool.d/*"]}
        for version in installed
        if version not in running
    ]
    started = [
        {
            "name": of(version, service),
            # systemd takes a new MemoryMax as it reads its files anew, some versions only once the unit is reloaded too.
            "reload_on": [f"{of(version, config_dir)}/*", *(file["dest"] for file in drop_ins.get(version, [])[1:])],
            "reload_execs": True,
            "restart_on": [drop_ins[version][0]["dest"]] if version in drop_ins else [],
            "listen": sockets.get(version, []),
        }
        for version in running
    ]
    return {
        "users": [{"name": pool["user"], "comment": f"Site {pool['name']}", "home": pool["home"]} for pool in pools],
        "directories": directories,
        # PHP writes them as the pool's user, who may not make files in the directory.
        "files": [
            *(
                {
                    "dest": f"/var/log/php-fpm/{pool['name']}.error.log",
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
        "trees": [of(version, config_dir) for version in installed],
        "validators": [[of(version, binary), "-t"] for version in running],
        "units": [*ended, *started],
    }


def _limits_of(version: str, default_version: str, limits: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Limits of one version's unit; pools that name no version belong to the default one, and count beside its own."""
    own = limits.get(f"php_fpm@{version}", {})
    unnamed = limits.get("php_fpm@", {}) if version == default_version else {}
    if not (own and unnamed):
        return dict(own or unnamed)
    summed = ("MemoryMax", "MemoryHigh", "TasksMax")
    return {key: value + own[key] if key in summed else value for key, value in unnamed.items()}
