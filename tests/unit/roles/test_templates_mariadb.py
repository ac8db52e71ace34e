"""MariaDB: what the rendered configuration says, and what the server itself says about it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rendering import Role, daemon, lines

from ansible_collections.lemp.stack.plugins.module_utils._mariadb import PLANNED_BOUNDS, STEPS

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
    pinned = {"mariadb_thread_stack_kb": 400, **dict.fromkeys(STEPS, 80)}.get(name, given)
    written = str(int(pinned) * {"mb": 2**20, "kb": 1024, "": 1}[unit])
    assert settings(render(**{name: pinned}))[variable] == written
    assert settings(render())[variable] != written


def test_the_network_is_encrypted_and_loopback_needs_no_certificate() -> None:
    local, remote = settings(render()), settings(render(mariadb_bind_address="10.0.0.5", inventory_hostname="db"))
    assert local["require_secure_transport"] == "OFF"
    assert "ssl_cert" not in local
    assert remote["require_secure_transport"] == "ON"
    assert (remote["ssl_cert"], remote["ssl_key"]) == ("/etc/mysql/lemp-tls/server.pem", "/etc/mysql/lemp-tls/server.key")
    own = settings(render(mariadb_tls={"certificate": "/a.pem", "key": "/a.key"}))
    assert (own["ssl_cert"], own["ssl_key"], own["require_secure_transport"]) == ("/a.pem", "/a.key", "OFF")
    assert "ssl_ca" not in own


@pytest.mark.parametrize(
    ("address", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("127.0.0.1,::1,localhost", True),
        ("127.0.0.1,10.0.0.5", False),
        ("127.0.0.1,", False),
        ("127.example.org", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_a_list_with_one_address_beyond_loopback_is_beyond_loopback(address: str, is_loopback: bool) -> None:
    values = settings(render(mariadb_bind_address=address, inventory_hostname="db"))
    assert values["require_secure_transport"] == ("OFF" if is_loopback else "ON")
    assert ("ssl_cert" in values) is not is_loopback
    rules = ROLE.evaluate("{{ mariadb_exported_firewall_rules }}", mariadb_bind_address=address)
    assert (rules == []) is is_loopback


def test_the_binary_log_is_off_and_bounded_where_it_is_on() -> None:
    assert "log_bin" not in settings(render())
    facts = {
        **ROLE.variables()["ansible_facts"],
        "lemp_capacity": {"disks": {"/var/lib/mysql": {"kind": "ssd", "size_bytes": 100 * 2**30}}},
    }
    for version, bound, expiry in (
        ("10.5", None, ("expire_logs_days", "3")),
        ("10.11", None, ("binlog_expire_logs_seconds", "259200")),
        ("11.8", True, ("binlog_expire_logs_seconds", "259200")),
    ):
        facts["packages"] = {"mariadb-server": [{"version": f"1:{version}.6-0+deb12u1"}]}
        values = settings(render(mariadb_binlog=True, mariadb_binlog_expire_days=3, ansible_facts=facts))
        assert (values["log_bin"], values["sync_binlog"]) == ("mariadb-bin", "1")
        assert values[expiry[0]] == expiry[1]
        assert ("max_binlog_total_size" in values) is bool(bound)


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
    text = render(mariadb_extra_settings={"sync_frm": True, "max_allowed_packet": "64M", "net_retry_count": 7})
    assert {"sync_frm = ON", 'max_allowed_packet = "64M"', "net_retry_count = 7"} <= set(lines(text))


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


# When names of variables came and went; real servers of 10.6, 10.11 and 11.8 judge the configuration in scenario mariadb.
# Sources: pages "System Variables Added in MariaDB ..." below
# https://mariadb.com/docs/server/ha-and-performance/optimization-and-tuning/system-variables
# and "Upgrading from ... to ..." below
# https://mariadb.com/docs/server/server-management/install-and-upgrade-mariadb/upgrading/mariadb-community-server-upgrade-paths
ADDED = {
    "binlog_expire_logs_seconds": (10, 6),
    "log_slow_query": (10, 11),
    "log_slow_query_file": (10, 11),
    "log_slow_query_time": (10, 11),
    "innodb_log_file_buffering": (10, 8),
    "innodb_data_file_buffering": (11, 0),
    "max_binlog_total_size": (11, 4),
    "max_tmp_session_space_usage": (11, 5),
    "max_tmp_total_space_usage": (11, 5),
    "innodb_log_file_mmap": (11, 6),
}
REMOVED = {
    "innodb_adaptive_max_sleep_delay": (10, 6),
    "innodb_background_scrub_data_check_interval": (10, 6),
    "innodb_background_scrub_data_compressed": (10, 6),
    "innodb_background_scrub_data_interval": (10, 6),
    "innodb_background_scrub_data_uncompressed": (10, 6),
    "innodb_buffer_pool_instances": (10, 6),
    "innodb_commit_concurrency": (10, 6),
    "innodb_concurrency_tickets": (10, 6),
    "innodb_file_format": (10, 6),
    "innodb_large_prefix": (10, 6),
    "innodb_log_checksums": (10, 6),
    "innodb_log_compressed_pages": (10, 6),
    "innodb_log_files_in_group": (10, 6),
    "innodb_log_optimize_ddl": (10, 6),
    "innodb_page_cleaners": (10, 6),
    "innodb_replication_delay": (10, 6),
    "innodb_scrub_log": (10, 6),
    "innodb_scrub_log_speed": (10, 6),
    "innodb_sync_array_size": (10, 6),
    "innodb_thread_concurrency": (10, 6),
    "innodb_thread_sleep_delay": (10, 6),
    "innodb_undo_logs": (10, 6),
    "innodb_change_buffer_max_size": (11, 0),
    "innodb_change_buffering": (11, 0),
    "innodb_defragment": (11, 1),
    "innodb_version": (11, 4),
}
VERSIONS = [(10, 5), (10, 6), (10, 11), (11, 4), (11, 8)]


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: ".".join(map(str, version)))
def test_no_version_is_given_a_name_that_it_does_not_know(version: tuple[int, int]) -> None:
    facts = {
        **ROLE.variables()["ansible_facts"],
        "packages": {"mariadb-server": [{"version": f"1:{version[0]}.{version[1]}.3-1"}]},
        "lemp_capacity": {"disks": {"/var/lib/mysql": {"kind": "ssd", "size_bytes": 100 * 2**30}}},
    }
    text = render(
        ansible_facts=facts, mariadb_binlog=True, mariadb_bind_address="10.0.0.5", inventory_hostname="db",
        mariadb_performance_schema=True, mariadb_event_scheduler=True,
    )  # fmt: skip
    names = set(settings(text))
    assert len(names) > 40
    assert {name for name in names if ADDED.get(name, (0, 0)) > version} == set()
    assert {name for name in names if version >= REMOVED.get(name, (100, 0))} == set()
    # The newest have what bounds their disk, so that the table of what came later is not there for nothing.
    assert ("max_tmp_total_space_usage" in names) is (version >= (11, 5))
