"""The table of results: what is read out of Ansible's output, and that a page keeps what a partial run did not touch."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[3] / "tools" / "matrix_table.py"
SPEC = importlib.util.spec_from_file_location("matrix_table", PATH)
assert SPEC
assert SPEC.loader
matrix_table = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = matrix_table  # dataclass looks its module up there
SPEC.loader.exec_module(matrix_table)

CONVERGED = """\
TASK [lemp.stack.nginx : Verify | Ask every site] ******************************
ok: [lemp-nginx-debian13]

PLAY RECAP *********************************************************************
lemp-nginx-debian13        : ok=17   changed=4    unreachable=0    failed=0    skipped=3    rescued=0    ignored=0
over-ssh                   : ok=2    changed=1    unreachable=0    failed=0    skipped=1    rescued=1    ignored=0

INFO     nginx > converge: Completed successfully
"""


def result(scenario="nginx", platform="debian13", outcome="passed", seconds=90, date="2026-11-24", image="mirror"):
    return matrix_table.Result(scenario, platform, outcome, seconds, 20, 0, image, date)


def test_recap_sums_over_hosts():
    assert matrix_table.recap(CONVERGED)["changed"] == 5


def test_the_last_recap_counts():
    later = "PLAY RECAP ***\nlocalhost : ok=1 changed=0 failed=0 skipped=0 rescued=0\n"
    assert matrix_table.recap(CONVERGED + later)["ok"] == 1


def test_changed_tasks_are_not_counted_twice():
    assert matrix_table.measured(CONVERGED, CONVERGED) == (24, 5)


def test_a_run_that_did_not_happen_has_no_numbers():
    assert matrix_table.measured("", "") == (None, None)


def test_a_page_reads_back_as_it_was_written():
    results = [result(), result("php_fpm", "raspios13", "failed: converge", image="stand-in")]
    assert matrix_table.parse(matrix_table.render(results)) == results


def test_a_failure_stands_in_the_grid():
    grid = matrix_table.grid([result(), result(platform="rocky9", outcome="failed: verify")])
    assert grid.splitlines()[2] == "| nginx | - | 90 s | - | - | **failed** | - | - | - |"


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [("2026-11-23", "2026-11-24", 60), ("2026-11-24", "2026-11-24", 60), ("2026-11-25", "2026-11-24", 90)],
)
def test_the_later_day_wins(old, new, kept):
    assert [one.seconds for one in matrix_table.merge([result(date=old)], [result(date=new, seconds=60)])] == [kept]


def test_results_of_others_stay():
    merged = matrix_table.merge([result(platform="rocky9")], [result(), result("app")])
    assert [(one.scenario, one.platform) for one in merged] == [("app", "debian13"), ("nginx", "debian13"), ("nginx", "rocky9")]
