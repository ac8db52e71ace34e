"""MariaDB: what the rendered configuration says, and what the server itself says about it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendering import Role, daemon, lines

from ansible_collections.lemp.stack.plugins.module_utils._mariadb import PLANNED_BOUNDS

ROLE = Role("mariadb")
TEMPLATE = next(
    str(path.relative_to(ROLE.path / "templates")).removesuffix(".j2") for path in ROLE.path.glob("templates/**/60-lemp.cnf.j2")
)


def render(**overrides: Any) -> str:
    return ROLE.render(TEMPLATE, **overrides)


def settings(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+) = (.*)$", text, re.M))


def test_the_server_listens_on_loopback_unless_told() -> None:
    assert settings(render())["bind_address"] == "127.0.0.1"
    assert settings(render(mariadb_bind_address="10.0.0.5"))["bind_address"] == "10.0.0.5"


def test_files_of_clients_are_never_read() -> None:
    assert settings(render())["local_infile"] == "OFF"


def test_sizes_come_from_the_plan() -> None:
    values = settings(render())
    assert int(values["innodb_buffer_pool_size"]) == ROLE.evaluate("{{ __mariadb_plan.mariadb.innodb_buffer_pool_size }}")
    assert int(values["max_connections"]) == ROLE.evaluate("{{ __mariadb_plan.mariadb.max_connections }}")


def test_sizes_can_be_decided_by_hand() -> None:
    values = settings(render(mariadb_innodb_buffer_pool_size_mb=512, mariadb_max_connections=33))
    assert (values["innodb_buffer_pool_size"], values["max_connections"]) == (str(512 * 2**20), "33")


@pytest.mark.parametrize("given", [77, "77"], ids=["number", "text"])
@pytest.mark.parametrize("name", [name for name in PLANNED_BOUNDS if name not in ("mariadb_max_connections",)])
def test_every_computed_size_can_be_decided_by_hand(name: str, given: Any) -> None:
    variable, _, unit = name.removeprefix("mariadb_").rpartition("_")
    if name == "mariadb_table_open_cache":
        variable, unit = "table_open_cache", ""
    pinned = {"mariadb_thread_stack_kb": 400}.get(name, given)
    written = str(int(pinned) * {"mb": 2**20, "kb": 1024, "": 1}[unit])
    assert settings(render(**{name: pinned}))[variable] == written
    assert settings(render())[variable] != written


BYTES = {"K": 1024, "M": 2**20, "G": 2**30}


@pytest.mark.parametrize(
    "name",
    [
        "sort_buffer_size",
        "join_buffer_size",
        "read_buffer_size",
        "read_rnd_buffer_size",
        "thread_stack",
        "binlog_cache_size",
        "tmp_table_size",
    ],
)
def test_no_connection_may_take_more_than_the_plan_charges(name: str) -> None:
    """Defaults of the role and charges of the plan are written in two places; they have to agree."""
    match = re.fullmatch(r"(\d+)([KMG]?)", settings(render())[name])
    assert match
    assert int(match[1]) * BYTES.get(match[2], 1) <= ROLE.evaluate("{{ __mariadb_plan.mariadb." + name + " }}")


def test_the_redo_log_is_the_one_of_the_plan() -> None:
    planned = ROLE.evaluate("{{ __mariadb_plan.mariadb.innodb_log_file_size }}")
    assert settings(render())["innodb_log_file_size"] == str(planned)


def test_further_settings_are_written_as_the_server_reads_them() -> None:
    text = render(mariadb_extra_settings={"event_scheduler": True, "max_allowed_packet": "64M", "net_retry_count": 7})
    assert {"event_scheduler = ON", 'max_allowed_packet = "64M"', "net_retry_count = 7"} <= set(lines(text))


def judge(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Read the configuration as the server does, without starting it."""
    file = folder / "lemp.cnf"
    file.write_text(text)
    command = [daemon("mariadbd"), f"--defaults-file={file}", "--user=mysql", f"--datadir={folder}", "--verbose", "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {
            "mariadb_extra_settings": {"max_allowed_packet": "64M"},
            "mariadb_performance_schema": True,
            "mariadb_skip_name_resolve": False,
        },
    ],
    ids=["defaults", "alternative"],
)
def test_mariadb_accepts_the_configuration_and_takes_its_values(overrides: dict[str, Any], tmp_path: Path) -> None:
    done = judge(render(**overrides), tmp_path)
    assert done.returncode == 0, done.stderr
    values = dict(re.findall(r"^([a-z][\w-]+)  +(\S+)$", done.stdout, re.M))
    wanted = settings(render(**overrides))
    assert values["innodb-buffer-pool-size"] == wanted["innodb_buffer_pool_size"]
    assert values["bind-address"] == wanted["bind_address"]
    assert [line for line in done.stderr.splitlines() if "unknown" in line or "adjusted" in line] == []


def test_mariadb_would_notice_a_broken_template(tmp_path: Path) -> None:
    done = judge(render().replace("bind_address", "bind_adress"), tmp_path)
    assert done.returncode != 0 or "unknown variable" in done.stderr
