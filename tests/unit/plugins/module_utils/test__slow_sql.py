"""Statements without their values: no value is shown, and what differs in values only is alike."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._slow_sql import (
    EXPLAINED_CHARACTERS,
    SHOWN_CHARACTERS,
    Dialect,
    mask,
    mask_quoted,
    tokens,
    unexplained,
)

MARIADB, POSTGRESQL = Dialect("mariadb", True), Dialect("postgresql", False)
PLAIN, ESCAPING = Dialect("mariadb", False), Dialect("postgresql", True)
DIALECTS = [MARIADB, PLAIN, POSTGRESQL, ESCAPING]


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT *\n  FROM t\tWHERE a = 5;", "SELECT * FROM t WHERE a = ?"),
        (r"SELECT 'it''s', 'it\'s', 'a\\', x", "SELECT ?, ..., x"),
        ('SELECT "Anna"" B", `a``b c`.d FROM t', "SELECT ?, `a``b c`.d FROM t"),
        ("SELECT -1.5e+10, 0xFF, x'41', b'01', .5, 1e-3 + 7", "SELECT -?, ... + ?"),
        ("SELECT a1, wp_2_posts.b FROM wp_2_posts", "SELECT a1, wp_2_posts.b FROM wp_2_posts"),
        ("SELECT a /* user=anna */ FROM t -- anna\nWHERE b = 1 # anna", "SELECT a FROM t WHERE b = ?"),
        ("SELECT a--1 FROM t", "SELECT a--? FROM t"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (...), ..."),
        ("SELECT a FROM t WHERE b IN (1,2 , 3) AND c IN (4)", "SELECT a FROM t WHERE b IN (?, ...) AND c IN (?)"),
        ("SELECT a FROM t WHERE b = ? LIMIT 1", "SELECT a FROM t WHERE b = ? LIMIT ?"),
        ("SELECT 'cut off in the mid", "SELECT ..."),
        ("SELECT a, `cut", "SELECT a, ..."),
        ("SELECT _utf8mb4'x' y, N'y' z", "SELECT _utf8mb4? y, ? z"),
        ("# administrator command: Quit", "(no statement)"),
    ],
)
def test_mariadb(statement: str, shown: str) -> None:
    assert mask(statement, MARIADB).text == shown


@pytest.mark.parametrize(
    ("statement", "shown", "sendable"),
    [
        ("SELECT a FROM t WHERE b = 'x''y' AND c = 2", "SELECT a FROM t WHERE b = $1 AND c = $2", ""),
        (r"SELECT 'a\' , b, E'a\'b', c", "SELECT $1 , b, $2, c", ""),
        ('SELECT $q$ it\'s $x$ $q$, $$y$$ FROM "T""1"', 'SELECT $1, ... FROM "T""1"', 'SELECT $1, $2 FROM "T""1"'),
        ("SELECT a FROM t WHERE b = $2 AND c = $1 AND d = 5", "SELECT a FROM t WHERE b = $2 AND c = $1 AND d = $3", ""),
        ("SELECT a /* x /* y */ z */ FROM t -- 'w'\nLIMIT 5;", "SELECT a FROM t LIMIT $1", ""),
        ("SELECT now() - interval '1 day'", "SELECT now() - interval $1", "SELECT now() - CAST($1 AS interval)"),
        ("SELECT a FROM t WHERE b = '{1,2}'::int[]", "SELECT a FROM t WHERE b = $1::int[]", ""),
        ("SELECT a FROM t WHERE b IN ('x','y')", "SELECT a FROM t WHERE b IN ($1, ...)", "SELECT a FROM t WHERE b IN ($1,$2)"),
        ("SELECT $tag$ cut", "SELECT $1", ""),
        ("SELECT 'cut", "SELECT ...", ""),
        ("SELECT U&'d\\0061t', U&\"d\\0061t\", B'1'", 'SELECT $1, U&"d\\0061t", $2', ""),
        ("SELECT a /* cut /* 'x' */", "SELECT a", ""),
    ],
)
def test_postgresql(statement: str, shown: str, sendable: str) -> None:
    masked = mask(statement, POSTGRESQL)
    assert (masked.text, masked.sendable) == (shown, sendable or shown)


def test_what_a_backslash_is_depends_on_the_server() -> None:
    odd = r"SELECT 'a\' FROM t WHERE b = 'c'"
    assert mask(odd, PLAIN).text == "SELECT ? FROM t WHERE b = ?"
    assert mask(odd, MARIADB).text == "SELECT ..."
    assert mask(r"SELECT 'a\'' FROM t", ESCAPING).text == "SELECT $1 FROM t"
    assert mask(r"SELECT 'a\'' FROM t", POSTGRESQL).text == "SELECT ..."


QUOTED = {
    MARIADB: lambda text: [f"'{text}'".replace("\\", ""), f'"{text}"'.replace("\\", "")],
    PLAIN: lambda text: [f"'{text}'", f'"{text}"'],
    POSTGRESQL: lambda text: [f"'{text}'", f"$x${text}$x$"],
    ESCAPING: lambda text: [f"'{text}'".replace("\\", ""), f"$x${text}$x$"],
}
SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="'\"$"), max_size=12)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=SECRETS, number=st.integers(0), which=st.booleans())
def test_no_value_is_shown_wherever_it_is(dialect: Dialect, text: str, number: int, which: bool) -> None:
    value = QUOTED[dialect](f"Geheim {text} 4711")[which]
    statement = f"UPDATE t SET a = {value}, b={number} WHERE c=\n{value}AND d IN ({value},{number},{value}) /* {number} */"
    shown = mask(statement, dialect)
    for told in (shown.text, shown.sendable):
        assert "Geheim" not in told
        assert re.sub(r"\$\d+", "", told).count("4711") == 0
        assert not re.search(r"\d", re.sub(r"\$\d+", "", told))
    assert "d IN (" in shown.text


@pytest.mark.parametrize("dialect", DIALECTS)
@given(values=st.lists(st.one_of(SECRETS, st.integers(0)), min_size=2, max_size=6), other=st.integers(0))
def test_statements_that_differ_in_values_only_are_alike(dialect: Dialect, values: list[str | int], other: int) -> None:
    def written(value: str | int) -> str:
        return str(value) if isinstance(value, int) else QUOTED[dialect](value)[0]

    one = f"select a from t where b in ({', '.join(map(written, values))}) and c = {written(values[0])}"
    two = f"SELECT a  FROM t\nWHERE b IN ({other},{other}) AND c = {other} -- x"
    assert mask(one, dialect).identity == mask(two, dialect).identity
    assert mask(one, dialect).identity != mask(two.replace("FROM t", "FROM u"), dialect).identity


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=st.text(max_size=200))
@example("'\\")
@example("/* /* */")
@example("$a$ $b$")
@example("1e+")
def test_any_text_is_read_to_its_end(dialect: Dialect, text: str) -> None:
    assert "".join(piece for _, piece in tokens(text, dialect)) == text
    assert mask(text, dialect).text.isprintable()


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=st.text(alphabet="'\\$/*-# \na1?;(),EexX", max_size=80))
def test_any_heap_of_quotes_is_read_to_its_end(dialect: Dialect, text: str) -> None:
    assert "".join(piece for _, piece in tokens(text, dialect)) == text
    assert "'" not in mask(text, dialect).text


def test_long_statements_are_cut_for_people_only() -> None:
    masked = mask("SELECT " + ", ".join(f"column_{letter}" for letter in "abcdefgh" * 100), MARIADB)
    assert len(masked.text) == SHOWN_CHARACTERS + len(" ...")
    assert len(masked.sendable) > SHOWN_CHARACTERS


def test_a_large_statement_takes_no_noticeable_time() -> None:
    rows = ", ".join(["(1, 'text of some length', NULL, 0x12)"] * 20_000)
    assert mask(f"INSERT INTO t VALUES {rows}", MARIADB).text.startswith("INSERT INTO t VALUES (?, ..., NULL, ?), (")
    for text in ("'" * 100_001, "\\" * 100_000, "/*" * 100_000, "$a" * 100_000, "(" * 100_000, "?," * 100_000):
        for dialect in DIALECTS:
            assert mask(text, dialect) is not None


@pytest.mark.parametrize(
    ("statement", "engine", "reason"),
    [
        ("SELECT 1", "mariadb", ""),
        (" ((select 1) union select 2)", "postgresql", ""),
        ("WITH x AS (SELECT 1) DELETE FROM t", "mariadb", ""),
        ("REPLACE INTO t VALUES (1)", "mariadb", ""),
        ("SELECT 'a;b'", "mariadb", ""),
        ("SELECT 1;", "postgresql", ""),
        ("SELECT 1; COMMIT; DROP TABLE t", "postgresql", "semicolon"),
        ("CALL p()", "mariadb", "takes SELECT"),
        ("ANALYZE SELECT 1", "postgresql", "takes SELECT"),
        ("/*! ANALYZE */ SELECT 1", "mariadb", "takes SELECT"),
        ("selection", "mariadb", "takes SELECT"),
        ("", "mariadb", "takes SELECT"),
        ("SELECT a INTO  OUTFILE '/tmp/x' FROM t", "mariadb", "writes a file"),
        ("SELECT a FROM t INTO\nDumpfile '/tmp/x'", "mariadb", "writes a file"),
        (f"SELECT {'a' * EXPLAINED_CHARACTERS}", "mariadb", "more than 65536 characters"),
    ],
)
def test_what_explain_takes(statement: str, engine: str, reason: str) -> None:
    found = unexplained(statement, engine)
    assert reason in found if reason else found == ""


def test_what_a_server_quotes_is_not_repeated() -> None:
    said = mask_quoted("You have an error near 'WHERE name = 'Anna' AND\n\"x\"' at line 1")
    assert "Anna" not in said
    assert said == "You have an error near ? at line 1"
    assert mask_quoted('invalid input syntax for type integer: "Anna"') == "invalid input syntax for type integer: ?"
