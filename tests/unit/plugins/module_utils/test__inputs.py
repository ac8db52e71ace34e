"""Words about inputs that several roles use."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.module_utils._inputs import number, out_of_bounds, quoted, repeated


def test_names_are_quoted_as_they_are_written() -> None:
    assert quoted(["shop", "ä b", 'say "x"']) == '"shop", "ä b", "say \\"x\\""'
    assert quoted([]) == ""


def test_what_is_there_more_than_once_is_named_once_and_sorted() -> None:
    assert repeated(["b", "a", "b", "c", "a", "b"]) == ["a", "b"]
    assert repeated([6379, 0, 0]) == [0]
    assert repeated([]) == []


@pytest.mark.parametrize(("value", "expected"), [(3, 3.0), ("3.5", 3.5), (True, 1.0)])
def test_a_number_may_be_text(value: Any, expected: float) -> None:
    assert number(value) == expected


@pytest.mark.parametrize("value", ["three", None, [], {}])
def test_what_is_no_number_lies_within_no_bounds(value: Any) -> None:
    assert out_of_bounds("x_port", value, 1, 10, is_planned=True) == (
        f"x_port is {value}; use a number from 1 to 10, or 0 to have it computed."
    )


@pytest.mark.parametrize("value", [1, 10, "5", 2.5])
def test_bounds_belong_to_what_may_be(value: Any) -> None:
    assert out_of_bounds("x_port", value, 1, 10, is_planned=False) == ""


@pytest.mark.parametrize("value", [0, "0", 11, -1, 0.5])
def test_what_lies_outside_is_named_with_the_remedy(value: Any) -> None:
    assert out_of_bounds("x_port", value, 1, 10, is_planned=False) == f"x_port is {value}; use a number from 1 to 10."


def test_zero_leaves_a_planned_value_to_the_plan() -> None:
    assert out_of_bounds("x_mb", 0, 8, 10, is_planned=True) == ""
