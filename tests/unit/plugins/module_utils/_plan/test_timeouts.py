"""The order of time limits: what ends first can say why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._plan.timeouts import request_timeouts

seconds = st.integers(1, 86400)


def test_an_ordinary_pool_has_phps_usual_minute() -> None:
    assert request_timeouts({"name": "www"}) == {
        "statement": 60,
        "lock_wait": 50,
        "max_execution_time": 60,
        "request_terminate_timeout": 70,
        "fastcgi_read_timeout": 80,
    }


@pytest.mark.parametrize("empty", [0, None, "", "0"])
def test_zero_is_never_a_limit_that_nobody_has(empty: object) -> None:
    """0 is "no limit" to every one of these daemons, and here "not set"."""
    if empty != "0":
        assert request_timeouts({"name": "www", "max_execution_time_seconds": empty}) == request_timeouts({"name": "www"})


@given(seconds)
def test_limits_rise_from_the_database_to_nginx(execution: int) -> None:
    limits = request_timeouts({"name": "www", "max_execution_time_seconds": execution})
    assert limits["statement"] <= limits["max_execution_time"] < limits["request_terminate_timeout"]
    assert limits["request_terminate_timeout"] <= limits["fastcgi_read_timeout"]
    assert 1 <= limits["lock_wait"] < limits["request_terminate_timeout"]


@given(seconds, seconds)
def test_a_kill_before_phps_own_limit_is_refused(execution: int, terminate: int) -> None:
    pool = {"name": "www", "max_execution_time_seconds": execution, "request_terminate_timeout_seconds": terminate}
    if terminate > execution:
        limits = request_timeouts(pool)
        assert limits["request_terminate_timeout"] == terminate <= limits["fastcgi_read_timeout"]
    else:
        with pytest.raises(
            ValueError, match=f"request_terminate_timeout_seconds of pool www is {terminate}, which must exceed"
        ):
            request_timeouts(pool)
