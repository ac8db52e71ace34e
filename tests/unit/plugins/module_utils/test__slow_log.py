"""Logs of slow statements, as real servers wrote them (MariaDB 10.11.19 and 11.8.9, PostgreSQL 15.20 and 17.12 of Debian)."""

from __future__ import annotations

import gzip
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils import _slow_log
from ansible_collections.lemp.stack.plugins.module_utils._slow_log import (
    Entry,
    digested_groups,
    group,
    mariadb_entries,
    postgresql_entries,
    postgresql_pattern,
    read_newest,
)
from ansible_collections.lemp.stack.plugins.module_utils._slow_sql import Dialect

MARIADB, POSTGRESQL = Dialect("mariadb", True), Dialect("postgresql", False)
MARIADB_10_11 = r"""/usr/sbin/mariadbd, Version: 10.11.19-MariaDB-0+deb12u1 (Debian 12). started with:
Tcp port: 3306  Unix socket: /run/mysqld/mysqld.sock
Time		    Id Command	Argument
# Time: 261124 19:40:31
# User@Host: shop[shop] @ localhost []
# Thread_id: 6  Schema: shop  QC_hit: No
# Query_time: 0.007807  Lock_time: 0.000079  Rows_sent: 1  Rows_examined: 50000
# Rows_affected: 0  Bytes_sent: 65
use `shop`;
SET timestamp=1795549231;
SELECT COUNT(*) FROM orders WHERE customer = 'geheim-1';
# User@Host: shop[shop] @ localhost []
# Thread_id: 7  Schema: shop  QC_hit: No
# Query_time: 0.011281  Lock_time: 0.000091  Rows_sent: 1  Rows_examined: 50000
# Rows_affected: 0  Bytes_sent: 65
SET timestamp=1795549232;
SELECT COUNT(*) FROM orders WHERE customer = 'geheim-2';
# User@Host: shop[shop] @ localhost []
# Thread_id: 9  Schema: shop  QC_hit: No
# Query_time: 0.026309  Lock_time: 0.000091  Rows_sent: 0  Rows_examined: 50000
# Rows_affected: 0  Bytes_sent: 52
SET timestamp=1795549231;
UPDATE orders SET total = total + 1 WHERE customer = 'it\'s geheim' 
  AND total > 4711;
"""  # noqa: W291 - as the server wrote it
MARIADB_11_8 = """# Time: 261124 19:37:38
# User@Host: shop[shop] @ localhost []
# Thread_id: 12  Schema: shop  QC_hit: No
# Query_time: 0.057336  Lock_time: 0.000121  Rows_sent: 1  Rows_examined: 9
# Rows_affected: 0  Bytes_sent: 67
# Pages_accessed: 139  Pages_read: 0  Pages_prefetched: 0  Pages_updated: 0  Old_rows_read: 0
# Pages_read_time: 0.0000  Engine_time: 5.8854
# Full_scan: No  Full_join: Yes  Tmp_table: No  Tmp_table_on_disk: No
# Filesort: No  Filesort_on_disk: No  Merge_passes: 0  Priority_queue: No
#
# explain: id	select_type	table	type	possible_keys	key	key_len	ref	rows	r_rows	filtered	r_filtered	Extra
# explain: 1	SIMPLE	p	range	PRIMARY	PRIMARY	4	NULL	9	9.00	100.00	100.00	Using where
#
SET timestamp=1795549058;
SELECT COUNT(*) FROM orders o JOIN orders p ON o.customer = p.customer WHERE p.id < 10;
/usr/sbin/mariadbd, Version: 11.8.9-MariaDB-0+deb13u1 from Debian (-- Please help get to 10k stars). started with:
Tcp port: 3306  Unix socket: /run/mysqld/mysqld.sock
Time		    Id Command	Argument
# Time: 261124 19:41:00
# User@Host: root[root] @ localhost [127.0.0.1]
# Thread_id: 3  Schema:   QC_hit: No
# Query_time: 2.000155  Lock_time: 0.000000  Rows_sent: 1  Rows_examined: 0
# Rows_affected: 0  Bytes_sent: 65
SET timestamp=1795549260;
SELECT SLEEP(2);
"""
POSTGRESQL_LOG = """2026-11-24 19:37:25.968 UTC [3426] LOG:  parameter "log_min_duration_statement" changed to "1"
2026-11-24 19:37:26.621 UTC [3496] shop@shop LOG:  duration: 7.142 ms  statement: SELECT count(*) FROM orders WHERE customer = 'geheim-1'
2026-11-24 19:37:27.041 UTC [3502] shop@shop LOG:  duration: 7.856 ms  statement: UPDATE orders SET total = total + 1
	 WHERE customer = 'it''s geheim' AND total > 4711
2026-11-24 19:37:27.218 UTC [3504] shop@shop ERROR:  syntax error at or near "geheim" at character 65
2026-11-24 19:37:27.218 UTC [3504] shop@shop STATEMENT:  SELECT * FROM orders WHERE customer = geheim 3
2026-11-24 19:37:27.305 UTC [3508] shop@shop LOG:  duration: 1.586 ms  bind <unnamed>: SELECT * FROM orders WHERE customer = $1
2026-11-24 19:37:27.305 UTC [3508] shop@shop DETAIL:  Parameters: $1 = 'geheim-9'
2026-11-24 19:37:27.309 UTC [3508] shop@shop LOG:  duration: 3.933 ms  execute <unnamed>: SELECT * FROM orders WHERE customer = $1
2026-11-24 19:37:27.309 UTC [3508] shop@shop DETAIL:  Parameters: $1 = 'geheim-9'
"""  # noqa: E101, E501 - as the server wrote it
DEBIAN_PREFIX = "%m [%p] %q%u@%d "


def test_a_log_of_mariadb_10_11() -> None:
    one, two, three = mariadb_entries(MARIADB_10_11)
    assert (one.user, one.database, one.seconds, one.rows_examined, one.rows_sent) == ("shop", "shop", 0.007807, 50000, 1)
    assert (one.at, two.at) == (1795549231.0, 1795549232.0)
    assert one.statement == "SELECT COUNT(*) FROM orders WHERE customer = 'geheim-1'"
    assert three.statement == "UPDATE orders SET total = total + 1 WHERE customer = 'it\\'s geheim' \n  AND total > 4711"


def test_a_log_of_mariadb_11_8_with_all_that_it_can_tell_and_a_restart() -> None:
    one, two = mariadb_entries(MARIADB_11_8)
    assert one.statement == "SELECT COUNT(*) FROM orders o JOIN orders p ON o.customer = p.customer WHERE p.id < 10"
    assert (one.rows_examined, one.seconds, one.database) == (9, 0.057336, "shop")
    assert (two.statement, two.user, two.database, two.seconds) == ("SELECT SLEEP(2)", "root", "", 2.000155)


def test_a_cut_log_begins_with_its_first_whole_entry() -> None:
    found = list(mariadb_entries(MARIADB_10_11[MARIADB_10_11.index("Query_time") + 5 :]))
    assert [entry.statement[:6] for entry in found] == ["SELECT", "UPDATE"]


def test_alike_statements_are_one_and_the_slowest_is_the_sample() -> None:
    worst, other = group(mariadb_entries(MARIADB_10_11), MARIADB)
    assert worst.masked.text == "UPDATE orders SET total = total + ? WHERE customer = ? AND total > ?"
    assert (other.count, other.rows_examined, other.rows_sent, other.last) == (2, 100000, 2, 1795549232.0)
    assert (other.seconds, other.slowest) == (pytest.approx(0.019088), 0.011281)
    assert "geheim-2" in other.sample


def test_statements_of_different_databases_are_different() -> None:
    entries = [Entry("SELECT 1", 1.0, database=name) for name in ("shop", "blog", "shop")]
    assert sorted((one.database, one.count) for one in group(entries, MARIADB)) == [("blog", 1), ("shop", 2)]


def test_a_statement_that_looks_like_an_entry_has_no_more_to_say_than_an_entry() -> None:
    forged = (
        MARIADB_10_11
        + "SELECT 1 /*\n# User@Host: root[root] @ localhost []\n# Query_time: x  Rows_sent: -1\nDROP TABLE t */;\n"
    )
    assert len(list(mariadb_entries(forged))) == 3


PIECES = [
    "# User@Host: ",
    "# Time: ",
    "# Query_time: ",
    "1.5",
    "SET timestamp=",
    "use a;\n",
    "SELECT 1;\n",
    "Schema: ",
    *"#:@[] \n;'\0é",
]


@given(text=st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
@example("# User@Host: \n# Query_time: 1\nSELECT 1")
def test_junk_is_no_entry_or_a_sound_one(text: str) -> None:
    for entry in mariadb_entries(text):
        assert entry.seconds >= 0
        assert entry.statement


@given(cut=st.integers(0, len(MARIADB_10_11)), end=st.integers(0, len(MARIADB_10_11)))
def test_any_part_of_a_log_can_be_read(cut: int, end: int) -> None:
    assert len(list(mariadb_entries(MARIADB_10_11[cut:end]))) <= 3


def test_a_log_of_postgresql() -> None:
    one, two, three = postgresql_entries(POSTGRESQL_LOG, postgresql_pattern(DEBIAN_PREFIX))
    assert (one.user, one.database, one.seconds) == ("shop", "shop", pytest.approx(0.007142))
    assert one.at == 1795549046.0
    assert two.statement == "UPDATE orders SET total = total + 1\n WHERE customer = 'it''s geheim' AND total > 4711"
    assert three.statement == "SELECT * FROM orders WHERE customer = $1"
    texts = [one.masked.text for one in group([one, two, three], POSTGRESQL)]
    assert not any("geheim" in text for text in texts)


@pytest.mark.parametrize(
    ("prefix", "line", "known"),
    [
        ("%m [%p] ", "2026-11-24 19:37:26.621 UTC [3496] ", ("", "")),
        ("%t [%p]: [%l-1] user=%u,db=%d,app=%a,client=%h ", "2026-11-24 19:37:26 UTC [9]: [3-1] user=shop,db=blog,app=psql x,client=::1 ", ("shop", "blog")),  # noqa: E501
        ("%n %-10u|%5d|%%", "1795549046.621 shop      | blog|%", ("shop", "blog")),
        ("%m %q%u@%d ", "2026-11-24 19:37:26.621 UTC [unknown]@[unknown] ", ("", "")),
        ("<%m %u %u %d>", "<2026-11-24 19:37:26.621 UTC shop shop blog>", ("shop", "blog")),
        ("", "", ("", "")),
    ],
)  # fmt: skip
def test_any_log_line_prefix(prefix: str, line: str, known: tuple[str, str]) -> None:
    [entry] = postgresql_entries(f"{line}LOG:  duration: 5.000 ms  statement: SELECT 1\n", postgresql_pattern(prefix))
    assert (entry.user, entry.database, entry.statement, entry.seconds) == (*known, "SELECT 1", 0.005)
    assert entry.at is None if not prefix else 1795549046.0 <= float(entry.at or 0) < 1795549047.0


def test_a_time_of_another_zone_is_the_hosts_own() -> None:
    line = "2026-11-24 19:37:26.000 CET [1] a@b LOG:  duration: 5.0 ms  statement: SELECT 1\n"
    [entry] = postgresql_entries(line, postgresql_pattern(DEBIAN_PREFIX))
    assert entry.at == datetime(2026, 11, 24, 19, 37, 26).timestamp()


@given(prefix=st.text(max_size=20), text=st.text(max_size=100))
def test_no_prefix_and_no_log_is_an_error(prefix: str, text: str) -> None:
    for entry in postgresql_entries(text, postgresql_pattern(prefix)):
        assert entry.statement


def written(path: Path, text: str, age: float = 0) -> Path:
    content = text.encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    os.utime(path, (1_800_000_000 - age, 1_800_000_000 - age))
    return path


def test_the_newest_files_are_read_up_to_the_limit(tmp_path: Path) -> None:
    log = written(tmp_path / "slow.log", "newest\n")
    first = written(tmp_path / "slow.log.1", "older\n", 10)
    second = written(tmp_path / "slow.log.2.gz", "oldest\n", 20)
    other = written(tmp_path / "other.log", "other\n")
    assert other.exists()
    found = read_newest(str(log), 1000, 0)
    assert (found.texts, found.notes) == (["oldest\n", "older\n", "newest\n"], [])
    assert found.files == [str(log), str(first), str(second)]
    assert read_newest(str(log), 1000, 1_800_000_000 - 15).files == [str(log), str(first)]


def test_what_is_too_much_is_cut_from_the_old_end_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_slow_log, "CHUNK", 16)
    log = written(tmp_path / "slow.log", "0123456789")
    old = written(tmp_path / "slow.log.1.gz", "".join(f"{number:04}" for number in range(1000)), 10)
    oldest = written(tmp_path / "slow.log.2.gz", "x", 20)
    found = read_newest(str(log), 4, 0)
    assert (found.texts, found.size) == (["6789"], 4)
    assert found.notes == [
        f"Only the last 4 bytes of {log} were read.",
        f"{old} and older files were not read: 4 bytes is the most that is.",
    ]
    found = read_newest(str(log), 17, 0)
    assert found.texts == ["9980999", "0123456789"]
    assert [str(oldest) in note for note in found.notes] == [False, True]


def test_what_root_must_not_follow_or_cannot_read_is_told(tmp_path: Path) -> None:
    log = written(tmp_path / "slow.log", "text\n")
    (tmp_path / "slow.log.1").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "slow.log.2")
    (tmp_path / "slow.log.3").mkdir()
    written(tmp_path / "slow.log.4", "")
    written(tmp_path / "slow.log.5.xz", "x")
    (tmp_path / "slow.log.6.gz").write_bytes(b"no gzip")
    found = read_newest(str(log), 1000, 0)
    assert found.texts == ["text\n"]
    told = " ".join(found.notes)
    assert "slow.log.1 was not read: Too many levels of symbolic links." in told
    assert "slow.log.5.xz was not read: of compressed files only gzip's are." in told
    assert "slow.log.6.gz was not read: Not a gzipped file" in told
    assert told.count("it is no regular file") == 2


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_newest(str(tmp_path / "none" / "slow.log"), 1000, 0) == _slow_log.Excerpt()


def digested(**changes: Any) -> str:
    import json

    one = {
        "query_count": 3,
        "ts_max": "2026-11-24 19:37:38",
        "example": {"query": "SELECT COUNT(*) FROM orders WHERE customer = 'geheim-1'", "ts": "2026-11-24 19:37:38"},
        "fingerprint": "select count(*) from orders where customer = geheim",
        "metrics": {
            "Query_time": {"sum": "0.027676", "max": "0.011494"},
            "Rows_examined": {"sum": "150000"},
            "Rows_sent": {"sum": "3"},
            "db": {"value": "shop"},
            "user": {"value": "shop"},
        },
    }
    return "Reading from STDIN ...\n\n" + json.dumps({"classes": [{**one, **changes}]}) + "\n"


def test_what_pt_query_digest_says() -> None:
    [one] = digested_groups(digested(), MARIADB)
    assert one.masked.text == "SELECT COUNT(*) FROM orders WHERE customer = ?"
    assert (one.count, one.seconds, one.slowest, one.rows_examined, one.rows_sent) == (3, 0.027676, 0.011494, 150000, 3)
    assert (one.user, one.database, one.last) == ("shop", "shop", datetime(2026, 11, 24, 19, 37, 38).timestamp())


def test_a_digest_without_times_has_none() -> None:
    assert digested_groups(digested(ts_max=None), MARIADB)[0].last is None


@pytest.mark.parametrize("output", ["", "{}", "[]", '{"classes": [{}]}', digested(metrics={}), digested(query_count=None)])
def test_another_digest_is_an_error_of_one_kind(output: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        digested_groups(output, MARIADB)
