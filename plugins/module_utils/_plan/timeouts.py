# GNU General Public License v3.0+ (see LICENSE)
"""Time limits of one request, in an order in which every layer can report its own failure. All in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# nginx may not give up before PHP does, and PHP's own limit must strike first.
TERMINATE_AFTER_EXECUTION = 10
READ_AFTER_EXECUTION = 20
EXECUTION = 60
# Waiting for a row lock: InnoDB's own default, less where requests end sooner.
LOCK_WAIT = 50
# A reload lets running requests end first.
CONTROL_AFTER_TERMINATE = 5
STOP_AFTER_CONTROL = 10


def execution_seconds(pool: Mapping[str, Any]) -> int:
    """Time that PHP lets one request of a pool compute, in seconds."""
    return int(pool.get("max_execution_time_seconds") or EXECUTION)


def terminate_seconds(pool: Mapping[str, Any]) -> int:
    """Wall clock limit of one request of a pool, in seconds."""
    return int(pool.get("request_terminate_timeout_seconds") or execution_seconds(pool) + TERMINATE_AFTER_EXECUTION)


def request_timeouts(pool: Mapping[str, Any]) -> dict[str, int]:
    """The time limits of one pool's requests, the database's first.

    :param pool: an item of ``php_fpm_pools``.
    :raises ValueError: PHP's own limit would come too late to be the one that strikes.
    """
    execution, terminate = execution_seconds(pool), terminate_seconds(pool)
    if terminate <= execution:
        raise ValueError(
            f"request_terminate_timeout_seconds of pool {pool.get('name')} is {terminate}, which must exceed its"
            f" max_execution_time_seconds ({execution}); raise the first or lower the second."
        )
    return {
        "statement": execution,
        "lock_wait": max(1, min(LOCK_WAIT, execution - 1)),
        "max_execution_time": execution,
        "request_terminate_timeout": terminate,
        "fastcgi_read_timeout": max(execution + READ_AFTER_EXECUTION, terminate),
    }
