"""Facts of a host: memory, boards, services, versions, data, calibration, and the memory that stays planned for."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.lemp.stack.plugins.module_utils._capacity import host
from ansible_collections.lemp.stack.plugins.module_utils._capacity.files import Malformed

Tree = Callable[[Mapping[str, str]], str]
MIB = 2**20
MEMINFO = "MemTotal:        1012345 kB\nMemFree: 1 kB\nSwapTotal:  524288 kB\nHugePages_Total: 7\nHugepagesize:       2048 kB\n"
ONE_GROUP = {
    "/proc/meminfo": MEMINFO,
    "/proc/self/mountinfo": "25 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "/proc/1/cgroup": "0::/\n",
    "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu memory\n",
    "/sys/devices/system/cpu/online": "0-3\n",
}


def measure(root: str) -> dict[str, Any]:
    return host.measure(root, [])


def test_a_limit_below_the_total_is_what_there_is(tree: Tree) -> None:
    limited = measure(tree({**ONE_GROUP, "/sys/fs/cgroup/memory.max": f"{512 * MIB}\n"}))["memory"]
    assert limited == {
        "total_bytes": 1012345 * 1024,
        "limit_bytes": 512 * MIB,
        "limit_source": "/sys/fs/cgroup/memory.max",
        "bytes": 512 * MIB,
        "controller": True,
    }


@pytest.mark.parametrize("limit", [1012345 * 1024, 2**40])
def test_a_limit_of_the_total_or_more_is_none(tree: Tree, limit: int) -> None:
    memory = measure(tree({**ONE_GROUP, "/sys/fs/cgroup/memory.max": f"{limit}\n"}))["memory"]
    assert (memory["bytes"], memory["limit_bytes"], memory["limit_source"]) == (1012345 * 1024, None, None)


@pytest.mark.parametrize(("limit", "known"), [(512 * MIB, 512 * MIB), (2**63 - 4096, None)])
def test_a_limit_is_known_where_the_total_is_not(tree: Tree, limit: int, known: int | None) -> None:
    files = {name: text for name, text in ONE_GROUP.items() if name != "/proc/meminfo"}
    memory = measure(tree({**files, "/sys/fs/cgroup/memory.max": f"{limit}\n"}))["memory"]
    assert (memory["total_bytes"], memory["limit_bytes"], memory["bytes"]) == (None, known, known)


def test_swap_and_huge_pages_are_read(tree: Tree) -> None:
    found = measure(tree(ONE_GROUP))
    assert (found["swap_bytes"], found["huge_page_size"]) == (512 * MIB, 2 * MIB)
    # A kernel with pages of 16 KiB (Raspberry Pi 5) tells so by sysconf alone.
    assert found["page_size"] == os.sysconf("SC_PAGE_SIZE")


def test_an_empty_tree_is_measured_without_an_error(tree: Tree) -> None:
    found = measure(tree({}))
    assert found["memory"] == {
        "total_bytes": None,
        "limit_bytes": None,
        "limit_source": None,
        "bytes": None,
        "controller": False,
    }
    assert (found["swap_bytes"], found["huge_page_size"], found["board"]) == (None, None, None)
    assert found["kernel"] == {"nr_open": None, "file_max": None, "nofile": None}
    assert found["services"] == []
    assert found["versions"] == {"php": [], "postgresql": [], "mariadb": None}
    assert found["data"] == {"mariadb": None, "postgresql": None}
    assert found["cpus"]["effective"] >= 1


def test_the_model_of_a_board_ends_before_its_nul(tree: Tree) -> None:
    model = {"/sys/firmware/devicetree/base/model": "Raspberry Pi 5 Model B Rev 1.0\0"}
    assert measure(tree(model))["board"] == "Raspberry Pi 5 Model B Rev 1.0"


def test_limits_of_open_files_are_read(tree: Tree) -> None:
    files = {"/proc/sys/fs/nr_open": "1048576\n", "/proc/sys/fs/file-max": "9223372036854775807\n"}
    assert measure(tree(files))["kernel"] == {"nr_open": 1048576, "file_max": 2**63 - 1, "nofile": None}


@pytest.mark.parametrize(("capabilities", "nofile"), [("00000000a80425fb", 524288), ("000001ffffffffff", None)])
def test_a_first_process_that_cannot_raise_its_limit_of_open_files_is_bound_by_it(
    tree: Tree, capabilities: str, nofile: int | None
) -> None:
    files = {
        "/proc/1/status": f"Name:\tsystemd\nCapPrm:\t0\nCapEff:\t{capabilities}\n",
        "/proc/1/limits": "Limit           Soft Limit  Hard Limit  Units\nMax open files  1024        524288      files\n",
    }
    assert measure(tree(files))["kernel"]["nofile"] == nofile


def test_a_limit_of_open_files_that_is_no_number_names_its_file(tree: Tree) -> None:
    with pytest.raises(Malformed, match=r"^/proc/sys/fs/nr_open contains 'many'"):
        measure(tree({"/proc/sys/fs/nr_open": "many\n"}))


def test_a_list_of_cpus_that_is_none_names_its_file(tree: Tree) -> None:
    with pytest.raises(Malformed, match=r"^/sys/devices/system/cpu/online contains"):
        measure(tree({"/sys/devices/system/cpu/online": "all\n"}))


@pytest.mark.parametrize(
    ("files", "allowed", "effective"),
    [
        ({}, 4, 4.0),
        ({"cpuset.cpus.effective": "0-1,3"}, 3, 3.0),
        ({"cpuset.cpus.effective": "0-7"}, 4, 4.0),
        ({"cpuset.cpus.effective": "0", "cpu.max": "250000 100000"}, 1, 1.0),
        ({"cpuset.cpus.effective": "0-1", "cpu.max": "150000 100000"}, 2, 1.5),
        ({"cpu.max": "1000000 100000"}, 4, 4.0),
    ],
)
def test_the_least_of_online_allowed_and_quota_is_effective(
    tree: Tree, files: Mapping[str, str], allowed: int, effective: float
) -> None:
    cpus = measure(tree({**ONE_GROUP, **{f"/sys/fs/cgroup/{name}": text for name, text in files.items()}}))["cpus"]
    assert (cpus["online"], cpus["allowed"], cpus["effective"]) == (4, allowed, effective)
    assert isinstance(cpus["effective"], float)


DEBIAN = {
    "/usr/sbin/nginx": "",
    "/usr/sbin/php-fpm8.10": "",
    "/usr/sbin/php-fpm8.2": "",
    "/usr/sbin/php-fpm8.4": "",
    "/usr/sbin/mariadbd": "",
    "/usr/lib/postgresql/9/bin/postgres": "",
    "/usr/lib/postgresql/17/bin/postgres": "",
    "/usr/bin/redis-server": "",
    "/usr/bin/memcached": "",
    "/var/lib/mysql/mariadb_upgrade_info": "11.8.3-MariaDB\n",
}
EL = {
    "/usr/sbin/nginx": "",
    "/usr/sbin/php-fpm": "",
    "/usr/libexec/mariadbd": "",
    "/usr/pgsql-16/bin/postgres": "",
    "/usr/bin/valkey-server": "",
    "/var/lib/mysql/mysql_upgrade_info": "10.11.6-MariaDB",
}


def test_services_and_versions_of_debian_are_found(tree: Tree) -> None:
    found = measure(tree(DEBIAN))
    assert found["services"] == ["mariadb", "memcached", "nginx", "php_fpm", "postgresql", "redis"]
    # By number, not by letter: 8.10 is the newest.
    assert found["versions"] == {"php": ["8.2", "8.4", "8.10"], "postgresql": ["9", "17"], "mariadb": "11.8.3"}


def test_services_and_versions_of_enterprise_linux_are_found(tree: Tree) -> None:
    found = measure(tree(EL))
    assert found["services"] == ["mariadb", "nginx", "php_fpm", "postgresql", "redis"]
    # Its php-fpm has no version in its name.
    assert found["versions"] == {"php": [], "postgresql": ["16"], "mariadb": "10.11.6"}


@pytest.mark.parametrize("text", ["", "unknown\n"])
def test_a_version_that_nothing_tells_is_none(tree: Tree, text: str) -> None:
    assert measure(tree({**DEBIAN, "/var/lib/mysql/mariadb_upgrade_info": text}))["versions"]["mariadb"] is None


def test_numbers_in_the_way_to_the_tree_are_no_version(tree: Tree, tmp_path: Path) -> None:
    top = tmp_path / "12"
    (top / "usr/lib/postgresql/17/bin").mkdir(parents=True)
    (top / "usr/lib/postgresql/17/bin/postgres").touch()
    assert measure(str(top))["versions"]["postgresql"] == ["17"]


def test_only_tables_and_databases_count_as_data(tree: Tree) -> None:
    files = {
        "/var/lib/mysql/ibdata1": "x" * 4,
        "/var/lib/mysql/ibdata2": "x" * 6,
        "/var/lib/mysql/blog/posts.ibd": "x" * 20,
        "/var/lib/mysql/blog/old.MYD": "x" * 30,
        "/var/lib/mysql/blog/old.MYI": "x" * 40,
        "/var/lib/mysql/ib_logfile0": "x" * 1000,
        "/var/lib/mysql/blog/posts.frm": "x" * 1000,
        "/var/lib/postgresql/17/main/base/1/2": "x" * 7,
        "/var/lib/postgresql/15/main/base/5/6": "x" * 2,
        "/var/lib/postgresql/17/main/pg_wal/000000010000000000000001": "x" * 1000,
    }
    assert measure(tree(files))["data"] == {"mariadb": 100, "postgresql": 9}


def test_databases_of_enterprise_linux_are_found(tree: Tree) -> None:
    assert measure(tree({"/var/lib/pgsql/data/base/1/2": "x" * 7}))["data"]["postgresql"] == 7


def test_an_empty_directory_holds_nothing(tree: Tree) -> None:
    root = tree({})
    os.makedirs(f"{root}/var/lib/mysql")
    assert measure(root)["data"] == {"mariadb": 0, "postgresql": None}


def test_links_are_neither_counted_nor_followed(tree: Tree) -> None:
    root = tree({"/var/lib/mysql/a.ibd": "x" * 5, "/elsewhere/b.ibd": "x" * 1000})
    os.symlink(f"{root}/elsewhere", f"{root}/var/lib/mysql/blog")
    os.symlink(".", f"{root}/var/lib/mysql/loop")
    assert measure(root)["data"]["mariadb"] == 5


def test_data_that_cannot_be_read_is_unknown(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    root = tree({"/var/lib/mysql/a.ibd": "x"})
    # Root may read everything, and tests may run as root.
    monkeypatch.setattr(os, "scandir", refused)
    assert host._size([f"{root}/var/lib/mysql"], host.TABLES) is None


def test_too_many_files_to_count_quickly_are_unknown(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "MOST_FILES", 2)
    assert measure(tree({f"/var/lib/mysql/{n}.ibd": "x" for n in range(2)}))["data"]["mariadb"] == 2
    assert measure(tree({f"/var/lib/mysql/{n}.ibd": "x" for n in range(3)}))["data"]["mariadb"] is None


def test_a_calibration_is_read(tree: Tree) -> None:
    facts = {"calibration": {"worker_mb": 38}, "other": 1}
    assert measure(tree({host.FACT_FILE: json.dumps(facts)}))["calibration"] == {"worker_mb": 38}


@pytest.mark.parametrize("files", [{}, {host.FACT_FILE: '{"other": 1}'}])
def test_a_missing_calibration_is_empty(tree: Tree, files: Mapping[str, str]) -> None:
    assert measure(tree(files))["calibration"] == {}


@pytest.mark.parametrize(
    "text", ["", "\n", "{", "[" * 100000, "[1]", '"text"', '{"calibration": [1]}', '{"calibration": null}']
)
def test_a_broken_calibration_names_its_file_and_the_remedy(tree: Tree, text: str) -> None:
    with pytest.raises(Malformed, match=r"^/etc/ansible/facts\.d/lemp\.fact .*; correct or remove it, and measure again"):
        measure(tree({host.FACT_FILE: text}))


# The memory that stays planned for


def unlimited(total: int | None) -> dict[str, Any]:
    return {"total_bytes": total, "limit_bytes": None}


def state(total: int) -> dict[str, Any]:
    """What is remembered of a host with this MemTotal."""
    return {"total_bytes": total, "planned_bytes": host.planned_memory(unlimited(total), None)}


def test_a_limit_is_planned_for_as_it_is() -> None:
    # Not rounded, and whatever was remembered before the limit was set.
    memory = {"total_bytes": 2048 * MIB, "limit_bytes": 512 * MIB + 1}
    assert host.planned_memory(memory, state(2048 * MIB)) == 512 * MIB + 1


def test_a_little_less_than_the_total_is_planned_for_in_whole_mebibytes() -> None:
    assert host.planned_memory(unlimited(1000 * MIB), None) == 990 * MIB
    assert host.planned_memory(unlimited(1000 * MIB - 1), None) == 989 * MIB


def test_nothing_is_planned_for_where_the_total_is_unknown() -> None:
    assert host.planned_memory(unlimited(None), state(1000 * MIB)) is None
    assert not host.is_news(unlimited(None), None)


def test_a_remembered_plan_is_kept_as_it_is() -> None:
    # Another release may have planned with another share.
    remembered = {"total_bytes": 1000 * MIB, "planned_bytes": 960 * MIB}
    assert host.planned_memory(unlimited(995 * MIB), remembered) == 960 * MIB
    assert not host.is_news(unlimited(995 * MIB), remembered)


TOTALS = st.integers(min_value=64 * MIB, max_value=2**45)


@given(total=TOTALS, data=st.data())
def test_a_total_that_differs_by_up_to_one_percent_changes_no_plan(total: int, data: st.DataObject) -> None:
    now = data.draw(st.integers(min_value=-(-total * 99 // 100), max_value=total * 101 // 100))
    planned = host.planned_memory(unlimited(now), state(total))
    assert planned == state(total)["planned_bytes"]
    assert planned <= now


@given(total=TOTALS, data=st.data())
def test_a_total_that_differs_by_more_is_planned_anew(total: int, data: st.DataObject) -> None:
    less, more = st.integers(total // 2, -(-total * 99 // 100) - 1), st.integers(total * 101 // 100 + 1, total * 2)
    now = data.draw(less | more)
    assert host.planned_memory(unlimited(now), state(total)) == host.planned_memory(unlimited(now), None) <= now


@pytest.mark.parametrize(
    "remembered",
    [
        None,
        [],
        "text",
        7,
        {},
        {"total_bytes": "1048576000", "planned_bytes": 1},
        {"total_bytes": None, "planned_bytes": None},
        {"total_bytes": True, "planned_bytes": True},
        {"total_bytes": -1000 * MIB, "planned_bytes": 1},
        {"total_bytes": 10**400, "planned_bytes": 1},
        # Near enough to be believed, but with a plan that would leave a service nothing, or more than there is.
        {"total_bytes": 1000 * MIB, "planned_bytes": -5},
        {"total_bytes": 1000 * MIB, "planned_bytes": 0},
        {"total_bytes": 1000 * MIB, "planned_bytes": 5000 * MIB},
    ],
)
def test_a_broken_memory_is_ignored(remembered: Any) -> None:
    assert host.planned_memory(unlimited(1000 * MIB), remembered) == 990 * MIB
    assert host.is_news(unlimited(1000 * MIB), remembered)


@pytest.mark.parametrize("text", ["", "{", "[" * 100000, "nonsense", "\0\0\0"])
def test_a_memory_that_cannot_be_read_is_none(tree: Tree, text: str) -> None:
    assert host.recall(tree({host.STATE_FILE: text})) is None


def test_what_is_remembered_is_recalled_and_for_root_alone(tree: Tree) -> None:
    root = tree({"/var/lib/other": ""})
    assert host.recall(root) is None
    umask = os.umask(0)
    try:
        host.remember(root, {**state(1000 * MIB), "limit_bytes": None, "controller": True})
    finally:
        os.umask(umask)
    assert host.recall(root) == {"total_bytes": 1000 * MIB, "planned_bytes": 990 * MIB}
    assert os.stat(f"{root}/var/lib/lemp").st_mode & 0o777 == 0o700
    assert os.stat(f"{root}{host.STATE_FILE}").st_mode & 0o777 == 0o600
    os.chmod(f"{root}/var/lib/lemp", 0o755)
    host.remember(root, state(2000 * MIB))
    assert os.stat(f"{root}/var/lib/lemp").st_mode & 0o777 == 0o700
    assert host.recall(root)["total_bytes"] == 2000 * MIB
    assert os.listdir(f"{root}/var/lib/lemp") == ["memory.json"]
