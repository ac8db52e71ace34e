# GNU General Public License v3.0+ (see LICENSE)
"""What roles say about their inputs in the same words: names, duplicates, numbers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any


def quoted(names: Iterable[Any]) -> str:
    """Names for a sentence, each in quotes, so that blanks show."""
    return ", ".join(json.dumps(name, ensure_ascii=False) for name in names)


def repeated(values: Iterable[Any]) -> list[Any]:
    """What is there more than once, sorted."""
    return sorted(value for value, times in Counter(values).items() if times > 1)


def number(value: Any) -> float:
    """A number, also where it arrives as text (``-e``, surveys); not a number, and so within no bounds, where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def out_of_bounds(name: str, value: Any, low: int, high: int, *, is_planned: bool) -> str:
    """A sentence about an input outside of its bounds, or nothing.

    :param is_planned: whether 0 leaves the value to the plan.
    """
    if low <= number(value) <= high or (is_planned and number(value) == 0):
        return ""
    remedy = f"use a number from {low} to {high}" + (", or 0 to have it computed" if is_planned else "")
    return f"{name} is {value}; {remedy}."
