"""PostgreSQL: what the rendered configuration says, and what the server itself says about it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rendering import PLATFORMS, Role, daemon, lines

from ansible_collections.lemp.stack.plugins.module_utils._plan.postgresql import POOLER_LOOKUPS

ROLE = Role("postgresql")
START, RELOAD, RULES, MAP = "conf.d/60-lemp.conf", "conf.d/61-lemp-reload.conf", "pg_hba.conf", "pg_ident.conf"
PACKAGES = {"packages": {"postgresql-17": [{"version": "17.5-1"}], "postgresql-15": [{"version": "15.13-0+deb12u1"}]}}
FACTS = {**PLATFORMS["Debian 13"], **PACKAGES}
SITE = {
    "postgresql_databases": [{"name": "shop", "owner": "shop"}],
    "postgresql_users": [{"name": "shop", "password": "secret", "client_hosts": ["localhost", "10.0.0.7"]}],
}


def render(template: str, **overrides: Any) -> str:
    return ROLE.render(template, **{"ansible_facts": FACTS, **overrides})


def settings(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.]+) = '?(.*?)'?$", text, re.M))


def test_the_newest_version_that_is_installed_is_the_one() -> None:
    def version(platform: str, packages: dict[str, Any]) -> Any:
        return ROLE.evaluate("{{ __postgresql_version }}", ansible_facts={**PLATFORMS[platform], "packages": packages})

    assert version("Debian 13", PACKAGES["packages"]) == "17"
    assert (
        version("Rocky 9", {"postgresql-server": [{"version": "15.13"}], "postgresql-contrib": [{"version": "15.13"}]}) == "15"
    )
    assert version("Debian 13", {"postgresql-client-17": [{"version": "17.5-1"}]}) == ""


def test_further_packages_are_asked_for_in_the_name_that_they_have_for_the_new_version() -> None:
    wanted = ROLE.evaluate(
        "{{ __postgresql_upgrade_extra }}",
        ansible_facts=FACTS,
        __postgresql_data={"stdout": "15"},
        __postgresql_offered={"stdout": "17"},
        postgresql_extra_packages=["postgresql-15-pgvector", "postgresql-plpython3-15", "pgtop"],
    )
    assert wanted == ["postgresql-17-pgvector", "postgresql-plpython3-17", "pgtop"]


def test_the_server_listens_on_loopback_without_tls_unless_told() -> None:
    values = settings(render(START))
    assert (values["listen_addresses"], values["ssl"]) == ("localhost", "off")
    values = settings(render(START, postgresql_listen_addresses=["localhost", "10.0.0.5"]))
    assert (values["listen_addresses"], values["ssl"]) == ("localhost,10.0.0.5", "on")
    assert values["ssl_key_file"] == "/etc/postgresql/lemp-server.key"


def test_the_firewall_hears_of_it_only_beyond_loopback() -> None:
    assert ROLE.evaluate("{{ postgresql_exported_firewall_rules }}", ansible_facts=FACTS) == []
    rules = ROLE.evaluate("{{ postgresql_exported_firewall_rules }}", ansible_facts=FACTS, postgresql_listen_addresses=["*"])
    assert rules == [{"name": "postgresql", "port": 5432, "protocol": "tcp", "sources": []}]


def test_the_first_rule_is_the_superusers_and_the_last_ones_refuse() -> None:
    text = [line for line in lines(render(RULES, **SITE)) if not line.startswith("#")]
    assert text[0] == "local all postgres peer map=lemp"
    assert text[-2:] == ["local all all reject", "host all all all reject"]
    assert [line for line in text if "trust" in line or "md5" in line] == []
    assert [line for line in text if "10.0.0.7" in line] == [], "a server without a certificate lets nobody in from elsewhere"
    beyond = render(RULES, **SITE, postgresql_listen_addresses=["10.0.0.5"])
    assert [line.split()[0] for line in beyond.splitlines() if "10.0.0.7" in line] == ["hostssl"]


def test_sizes_come_from_the_plan_or_from_the_user() -> None:
    start, reload = settings(render(START)), settings(render(RELOAD))
    assert start["shared_buffers"] == "1GB"
    assert start["max_connections"] == str(
        ROLE.evaluate("{{ __postgresql_plan.postgresql.max_connections }}", ansible_facts=FACTS)
    )
    assert "work_mem" in reload
    pinned = {"postgresql_shared_buffers_mb": 512, "postgresql_max_connections": 33, "postgresql_work_mem_kb": "2048"}
    start, reload = settings(render(START, **pinned)), settings(render(RELOAD, **pinned))
    assert (start["shared_buffers"], start["max_connections"], reload["work_mem"]) == ("512MB", "33", "2MB")


POOLED = {
    **SITE,
    "postgresql_databases": [{"name": "shop", "owner": "shop", "pooled": True}, {"name": "wiki", "pooled": False}],
}
POOLER, POOLS = "etc/pgbouncer/pgbouncer.ini", "etc/pgbouncer/lemp-databases.ini"


def test_pooled_databases_alone_are_offered_with_what_the_plan_leaves_them() -> None:
    found = dict(line.split(" = ", 1) for line in lines(render(POOLS, **POOLED)) if " = " in line)
    assert found["shop"] == "host=/var/run/postgresql port=5432"
    assert "wiki" not in found
    assert found["postgres"].endswith(f"pool_size={POOLER_LOOKUPS} max_db_connections={POOLER_LOOKUPS}")
    plan = ROLE.evaluate("{{ __postgresql_plan }}", ansible_facts=FACTS, **POOLED)
    assert found["max_db_connections"] == str(plan["pgbouncer"]["max_db_connections"])
    pinned = dict(line.split(" = ", 1) for line in lines(render(POOLS, **POOLED, postgresql_pool_size=7)) if " = " in line)
    assert (pinned["default_pool_size"], pinned["max_db_connections"]) == ("7", "7")


def test_the_pooler_asks_for_passwords_and_listens_on_loopback_where_the_server_has_addresses() -> None:
    text = render(POOLER, **POOLED)
    assert "listen_addr = 127.0.0.1\n" in text
    assert "auth_type = scram-sha-256\n" in text
    assert "NOT rolsuper" in text
    assert "listen_addr = \n" in render(POOLER, **POOLED, postgresql_listen_addresses=[])


def test_only_where_a_database_is_pooled_the_package_is_wanted() -> None:
    wanted = "{{ 'pgbouncer' in __postgresql_wanted_packages }}"
    assert ROLE.evaluate(wanted, ansible_facts=FACTS, **POOLED) is True
    assert ROLE.evaluate(wanted, ansible_facts=FACTS, **SITE) is False


@pytest.mark.parametrize(
    ("size", "connections", "lost"), [("8", "8", []), ("20", "8", ["shop"]), ("8", "0", ["shop"]), (None, None, ["shop"])]
)
def test_a_pooler_with_other_pools_is_named(size: str | None, connections: str | None, lost: list[str]) -> None:
    shown = f"name,host,pool_size,max_connections\npgbouncer,,2,0\nshop,x,{size},{connections}\n" if size else ""
    found = ROLE.evaluate(
        "{{ __postgresql_pooler_deviations }}",
        ansible_facts=FACTS,
        **POOLED,
        postgresql_pool_size=8,
        __postgresql_pooler_shown={"stdout": shown},
    )
    assert found == lost


def test_no_setting_stands_in_both_files() -> None:
    extra = {"postgresql_extra_settings": {"wal_level": "logical", "track_io_timing": True}}
    assert settings(render(START, **extra)).keys() & settings(render(RELOAD, **extra)).keys() == set()


@pytest.mark.parametrize(
    ("inputs", "sentences"),
    [
        ({"postgresql_databases": [{"name": "a", "extensions": ["pg_trgm"], "locale": "de_DE.UTF-8"}]}, []),
        (
            {"postgresql_databases": [{"name": "a", "extensions": ["no_such"]}]},
            ["wants the extension no_such, which is not in"],
        ),
        ({"postgresql_locale": "xx_YY.UTF-8"}, ["xx_YY.utf8, which this host does not have"]),
    ],
    ids=["both there", "extension", "locale"],
)
def test_what_the_host_does_not_have_is_named(inputs: dict[str, Any], sentences: list[str]) -> None:
    seen = {"stdout_lines": ["cluster", "extension pg_trgm", "locale C.utf8", "locale de_DE.utf8"]}
    found = ROLE.evaluate("{{ __postgresql_lost }}", ansible_facts=FACTS, __postgresql_look=seen, **inputs)
    assert len(found) == len(sentences)
    for text, sentence in zip(found, sentences, strict=True):
        assert sentence in text


@pytest.mark.parametrize(
    ("packages", "offered", "data", "versions"),
    [
        (["15"], "17", "15", ("15", "17")),
        (["15", "17"], "17", "15", ("15", "17")),
        (["15", "17"], "", "15\n17", ("17", "17")),
    ],
    ids=["to be installed", "side by side", "done"],
)
def test_an_upgrade_goes_from_the_newest_data_to_the_newest_server(
    packages: list[str], offered: str, data: str, versions: tuple[str, str]
) -> None:
    facts = {
        **PLATFORMS["Debian 13"],
        "packages": {f"postgresql-{version}": [{"version": f"{version}.1-1"}] for version in packages},
    }
    given = {"__postgresql_data": {"stdout": data}, "__postgresql_offered": {"stdout": offered}}
    found = tuple(
        str(ROLE.evaluate(f"{{{{ {name} }}}}", ansible_facts=facts, **given))
        for name in ("__postgresql_old", "__postgresql_new")
    )
    assert found == versions


@pytest.fixture(name="folder")
def configuration_folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


def judge(folder: Path, **overrides: Any) -> subprocess.CompletedProcess[str]:
    """Let a server in single-user mode read the files, as the role's own validator does."""
    if os.geteuid() != 0:
        pytest.skip("only root may become the user that the server insists on")
    binary = Path(daemon("postgres")).resolve().parent
    facts = {**PLATFORMS["Debian 12"], "packages": {"postgresql-15": [{"version": "15.1"}]}}
    config = folder / "config"
    (config / "conf.d").mkdir(parents=True)
    (config / "postgresql.conf").write_text("include_dir = 'conf.d'\n")
    for name in (START, RELOAD, RULES, MAP):
        (config / name).write_text(render(name, ansible_facts=facts, **SITE, **overrides))
    for path in [folder, *folder.parents][:3]:
        path.chmod(0o755)
    script = ROLE.evaluate("{{ __postgresql_judge }}", ansible_facts=facts)
    arguments = ["postgres", str(binary), *(str(config / name) for name in ("postgresql.conf", RULES, MAP))]
    return subprocess.run(["sh", "-c", script, "judge", *arguments], capture_output=True, text=True, check=False)


def test_the_server_accepts_the_configuration(folder: Path) -> None:
    done = judge(folder, postgresql_extra_settings={"track_io_timing": True})
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ({"postgresql_extra_settings": {"no_such": 1}}, 'unrecognized configuration parameter "no_such"'),
        ({"postgresql_preload_libraries": ["nowhere"]}, 'could not access file "nowhere"'),
        ({"postgresql_extra_hba_rules": ["host all all 10.0.0.0/99 scram-sha-256"]}, "invalid CIDR mask"),
    ],
)
def test_the_server_would_notice_a_mistake(overrides: dict[str, Any], complaint: str, folder: Path) -> None:
    done = judge(folder, **overrides)
    assert done.returncode != 0
    assert complaint in done.stdout
    if "hba" in str(overrides):
        assert re.search(r"/pg_hba\.conf:\d+: ", done.stdout), "with its place"
