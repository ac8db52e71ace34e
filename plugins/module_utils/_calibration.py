# GNU General Public License v3.0+ (see LICENSE)
"""What a measurement says of a plan: better inputs, and what people should look at. Pure functions.

What holds is kept while a measurement differs by a tenth at most, so that measuring again moves nothing.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from ._plan.php_fpm import OPCACHE_LEAST_MB, OPCACHE_MOST_MB, OPCACHE_STEP_MB

MIB = 2**20
TOLERANCE_PERCENT = 10
WORKER_MARGIN_PERCENT = 10
OPCACHE_MARGIN_PERCENT = 20
LEAST_WORKERS = 2
# The questions of the measurement are requests too.
OWN_REQUESTS = 2
SERVICES = {
    "nginx.service": "nginx",
    "php*-fpm.service": "php_fpm",
    "mariadb.service": "mariadb",
    "postgresql*.service": "postgresql",
    "lemp-redis@*.service": "redis",
    "redis-server.service": "redis",
    "memcached.service": "memcached",
}


class Findings:
    """What is proposed and said, in the order in which it is found."""

    def __init__(self) -> None:
        self.php_fpm: dict[str, Any] = {}
        self.lines: list[str] = []
        self.warnings: list[str] = []

    def propose_worker(self, pool: str, megabytes: int) -> None:
        self.php_fpm.setdefault("pools", {})[pool] = {"worker_memory_mb": megabytes}

    @property
    def outcome(self) -> dict[str, Any]:
        return {
            "proposed": {"php_fpm": self.php_fpm} if self.php_fpm else {},
            "lines": self.lines,
            "warnings": self.warnings,
        }


def calibrate(usage: Any, plan: Any, current: Any = None) -> dict[str, Any]:
    """See the documentation of filter calibration.

    :param usage: what module host_usage returns.
    :param plan: what filter plan returns.
    :param current: what an earlier calibration kept on the host.
    :raises ValueError: one of them is no dictionary.
    """
    for name, given in (("the usage", usage), ("the plan", plan), ("the present calibration", current or {})):
        if not isinstance(given, Mapping):
            raise ValueError(f"{name} is {given!r}, but must be a dictionary.")
    found = Findings()
    held = _part(current or {}, "php_fpm")
    for name, pool in _part(usage, "php_fpm", "pools").items():
        judge_pool(found, name, pool or {}, plan, held)
    judge_opcache(found, usage, plan, held)
    judge_units(found, _part(usage, "units"), _part(plan, "services"))
    judge_mariadb(found, _part(usage, "mariadb"))
    return found.outcome


def _part(given: Any, *keys: str) -> Mapping[str, Any]:
    """A dictionary within dictionaries, empty where it is missing."""
    for key in keys:
        given = given.get(key) if isinstance(given, Mapping) else None
    return given if isinstance(given, Mapping) else {}


def differs(measured: int, holding: int | None) -> bool:
    return holding is None or abs(measured - holding) * 100 > holding * TOLERANCE_PERCENT


def _with_margin(size: int, percent: int, step: int) -> int:
    """Size and margin in whole steps, in the unit of ``step``."""
    return -(-size * (100 + percent) // (100 * step * MIB)) * step


def has_traffic(pool: Mapping[str, Any]) -> bool:
    """Whether the pool answered anybody; unknown counts as traffic."""
    requests = pool.get("requests")
    if requests is not None:
        return bool(requests > 0)
    accepted = _part(pool, "status").get("accepted_connections")
    return accepted is None or bool(accepted > OWN_REQUESTS)


def judge_pool(found: Findings, name: str, pool: Mapping[str, Any], plan: Any, held: Mapping[str, Any]) -> None:
    full = _part(pool, "status").get("max_children_reached") or 0
    if full > 0:
        found.lines.append(
            f"Pool {name}: all workers were busy {full} times since PHP-FPM started; "
            "if visitors waited, give it a larger share (weight) or the host more memory."
        )
    planned = _part(plan, "php_fpm", "pools", name).get("worker_memory_mb")
    p95 = _part(pool, "worker_bytes").get("p95")
    if planned is None:
        found.lines.append(f"Pool {name} is not in the plan; it is not judged.")
    elif not has_traffic(pool):
        found.lines.append(f"Pool {name} had no traffic; measure again while visitors come.")
    elif not p95 or (pool.get("workers") or 0) < LEAST_WORKERS:
        found.lines.append(
            f"Pool {name}: {pool.get('workers') or 0} workers were seen, which says too little; "
            "measure again while more visitors come."
        )
    else:
        judge_workers(found, name, p95, _part(held, "pools", name).get("worker_memory_mb") or planned)


def judge_workers(found: Findings, name: str, p95: int, holding: int) -> None:
    megabytes = _with_margin(p95, WORKER_MARGIN_PERCENT, 1)
    measured = f"Pool {name}: 95 of 100 workers take at most {_mb(p95)}"
    if differs(megabytes, holding):
        found.propose_worker(name, megabytes)
        found.lines.append(f"{measured}; plan with {megabytes} MB each instead of {holding} MB.")
    else:
        found.lines.append(f"{measured}; {holding} MB each is right.")


def judge_opcache(found: Findings, usage: Any, plan: Any, held: Mapping[str, Any]) -> None:
    opcache = _part(usage, "php_fpm", "opcache")
    if not opcache:
        return
    restarts = {name: opcache.get(f"{name}_restarts") or 0 for name in ("oom", "hash")}
    for name, lack in (("oom", "memory"), ("hash", "slots for files")):
        if restarts[name] > 0:
            found.lines.append(f"OPcache emptied itself {restarts[name]} times since PHP-FPM started for lack of {lack}.")
    # Sites that nobody visits yet, or an OPcache that was emptied, are no reason for a smaller one.
    pools = _part(usage, "php_fpm", "pools")
    is_whole = all(has_traffic(pool) for name, pool in pools.items() if name in _part(plan, "php_fpm", "pools"))
    judge_opcache_memory(found, opcache, plan, held, may_shrink=is_whole and not any(restarts.values()))
    judge_opcache_files(found, opcache, plan, held, may_shrink=is_whole and not any(restarts.values()))


def judge_opcache_memory(found: Findings, opcache: Mapping[str, Any], plan: Any, held: Any, may_shrink: bool) -> None:
    if opcache.get("used_bytes") is None:
        return
    taken = opcache["used_bytes"] + (opcache.get("wasted_bytes") or 0)
    megabytes = _with_margin(taken, OPCACHE_MARGIN_PERCENT, OPCACHE_STEP_MB)
    megabytes = min(OPCACHE_MOST_MB, max(OPCACHE_LEAST_MB, megabytes))
    holding = held.get("opcache_memory_mb") or _part(plan, "opcache").get("memory_consumption_mb")
    if _is_news(megabytes, holding, may_shrink):
        found.php_fpm["opcache_memory_mb"] = megabytes
        found.lines.append(f"OPcache takes {_mb(taken)}; plan with {megabytes} MB instead of {_known(holding)} MB.")
    else:
        found.lines.append(f"OPcache takes {_mb(taken)}; {holding} MB stay.")


def judge_opcache_files(found: Findings, opcache: Mapping[str, Any], plan: Any, held: Any, may_shrink: bool) -> None:
    files = opcache.get("cached_scripts")
    if not files:
        return
    inputs = _part(plan, "explain", "opcache.max_accelerated_files", "inputs")
    holding = held.get("php_files") or inputs.get("php_files")
    if _is_news(files, holding, may_shrink):
        found.php_fpm["php_files"] = files
        found.lines.append(f"OPcache holds {files} PHP files; plan with them instead of {_known(holding)}.")
    else:
        found.lines.append(f"OPcache holds {files} PHP files; {holding} stay.")


def _is_news(measured: int, holding: int | None, may_shrink: bool) -> bool:
    return differs(measured, holding) and (may_shrink or holding is None or measured > holding)


def judge_units(found: Findings, units: Mapping[str, Any], services: Mapping[str, Any]) -> None:
    peaks: dict[str, int] = {}
    for unit in units:
        service = next((service for pattern, service in SERVICES.items() if fnmatch.fnmatchcase(unit, pattern)), None)
        peak = _part(units, unit).get("peak_working_bytes")
        if service and peak is not None:
            peaks[service] = peaks.get(service, 0) + peak
    for service, peak in peaks.items():
        charge = _part(services, service).get("charge")
        if charge is None:
            continue
        found.lines.append(f"{service} took at most {_mb(peak)} of the {_mb(charge)} that the plan charges for it.")
        if peak > charge:
            found.warnings.append(
                f"{service} took {_mb(peak)}, but the plan charges {_mb(charge)} for it; "
                "a neighbour may lack the difference, so apply what is proposed or give the service less to do."
            )


def judge_mariadb(found: Findings, mariadb: Mapping[str, Any]) -> None:
    used, most = mariadb.get("max_used_connections"), mariadb.get("max_connections")
    if used is not None and most is not None:
        found.lines.append(f"mariadb had at most {used} of {most} connections since it started.")


def _mb(size: int) -> str:
    return f"{size / MIB:.1f} MB"


def _known(value: int | None) -> str:
    return "an unknown number of" if value is None else str(value)
