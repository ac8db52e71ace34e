"""Sizes in the daemons' dialects: what is written is read back as the same number (I34)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._plan.units import (
    DIALECTS,
    GIB,
    KIB,
    MIB,
    SOURCES,
    TIB,
    down,
    format_size,
    megabytes,
    parse_size,
)

# Any number of bytes, and whole numbers of each unit.
sizes = st.builds(
    lambda count, unit: count * unit, st.integers(0, 10**6), st.sampled_from([1, KIB, MIB, GIB, 10**3, 10**6, 10**9])
)


@pytest.mark.parametrize("dialect", sorted(set(DIALECTS) - {"postgresql"}))
@given(size=sizes)
def test_i34_a_size_is_read_back_as_it_was_written(dialect: str, size: int) -> None:
    assert parse_size(format_size(size, dialect), dialect) == size


@given(sizes.map(lambda size: size * KIB))
def test_i34_a_size_of_postgresql_is_read_back_as_it_was_written(size: int) -> None:
    assert parse_size(format_size(size, "postgresql"), "postgresql") == size


@given(st.integers(1, 2**50))
def test_postgresql_is_never_given_a_part_of_a_kilobyte(size: int) -> None:
    """timescaledb-tune rounds up (vector tstune-062), which would be more than was charged."""
    if size % KIB:
        with pytest.raises(ValueError, match="is no multiple of 1 kB"):
            format_size(size, "postgresql")


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@given(count=st.integers(1, 10**6), suffix=st.integers(0, 6))
def test_every_suffix_is_read(dialect: str, count: int, suffix: int) -> None:
    known = list(DIALECTS[dialect].items())
    text, unit = known[suffix % len(known)]
    assert parse_size(f"{count}{text}", dialect) == count * unit


# tstune-055 to -061 and -070, -071 of the tuning vectors: timescaledb-tune's own tests of its formatter and parser.
@pytest.mark.parametrize(
    ("size", "text"),
    [
        (2199023255552000, "2000TB"),
        (1099510579200, "1048575MB"),
        (1072693248, "1023MB"),
        (1044480, "1020kB"),
        (2097152, "2MB"),
    ],
)
def test_sizes_of_postgresql_are_written_as_timescaledb_tune_writes_them(size: int, text: str) -> None:
    assert format_size(size, "postgresql") == text
    assert parse_size(text, "postgresql") == size


@pytest.mark.parametrize(("text", "size"), [("65536", 65536), ("2048kB", 2097152), ("8B", 8), ("64 GB", 64 * GIB)])
def test_sizes_of_postgresql_are_read_as_the_server_reads_them(text: str, size: int) -> None:
    """With a space too, which timescaledb-tune refuses (tstune-067) and the server does not (guc.c, parse_int)."""
    assert parse_size(text, "postgresql") == size


@pytest.mark.parametrize(
    ("text", "dialect", "size"),
    [
        ("1g", "redis", 10**9),
        ("1gb", "redis", GIB),
        ("1GB", "redis", GIB),
        ("100m", "redis", 10**8),
        ("1k", "redis", 1000),
        ("1g", "nginx", GIB),
        ("8K", "nginx", 8192),
        ("128M", "php", 128 * MIB),
        ("128m", "php", 128 * MIB),
        ("1G", "mariadb", GIB),
        ("1T", "systemd", TIB),
        ("0", "mariadb", 0),
    ],
)
def test_the_same_letters_mean_what_the_daemon_takes_them_for(text: str, dialect: str, size: int) -> None:
    assert parse_size(text, dialect) == size


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("-64MB", "postgresql"),
        ("64KB", "postgresql"),
        ("64M", "postgresql"),
        ("64gb", "postgresql"),
        ("1gb", "nginx"),
        ("1T", "php"),
        ("1.5G", "systemd"),
        ("", "redis"),
        ("G", "php"),
        ("1 2M", "mariadb"),
        ("max", "systemd"),
    ],
)
def test_what_the_daemon_would_not_read_is_refused(text: str, dialect: str) -> None:
    with pytest.raises(ValueError, match=f"is no size of {dialect}; write a whole number and one of "):
        parse_size(text, dialect)


def test_redis_is_written_in_units_that_cannot_be_taken_for_others() -> None:
    assert format_size(10**9, "redis") == "1000000000"
    assert format_size(GIB, "redis") == "1gb"


@pytest.mark.parametrize("function", [lambda dialect: parse_size("1", dialect), lambda dialect: format_size(1, dialect)])
def test_an_unknown_daemon_is_named_with_the_known_ones(function: object) -> None:
    with pytest.raises(ValueError, match="dialect is 'apache', but must be one of postgresql, mariadb"):
        function("apache")  # type: ignore[operator]


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 bytes is negative"):
        format_size(-1, "php")


def test_every_dialect_says_where_it_is_written_down() -> None:
    assert set(SOURCES) == set(DIALECTS)
    assert all(source.startswith("https://") for source in SOURCES.values())


@given(st.integers(0, 2**50), st.integers(1, 2**30))
def test_rounding_is_down_and_by_less_than_a_step(size: int, step: int) -> None:
    assert down(size, step) % step == 0
    assert 0 <= size - down(size, step) < step


@pytest.mark.parametrize(("size", "text"), [(0, "0 MB"), (1, "1 MB"), (MIB, "1 MB"), (MIB + 1, "2 MB")])
def test_messages_round_a_size_up_so_that_it_is_enough(size: int, text: str) -> None:
    assert megabytes(size) == text
