"""Module ``wordpress_tables``: whom it asks, what it runs, and what it never shows."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.lemp.stack.plugins.modules import wordpress_tables
from ansible_collections.lemp.stack.plugins.modules.wordpress_tables import code_version, find_due, install, readable


def site(path: Path, name: str = "blog", php: str = "php") -> dict[str, Any]:
    return {
        "name": name,
        "user": name,
        "root": str(path),
        "domain": f"{name}.example.org",
        "php": php,
        "title": "T",
        "admin_user": "anna",
        "admin_email": "a@example.org",
        "admin_password": "admin-secret",
        "language": "en_US",
        "table_prefix": "wp_",
        "database": {"name": name, "user": name, "password": "database-secret", "host": "localhost"},
    }


@pytest.fixture(name="root")
def wordpress_of_version_5(tmp_path: Path) -> Path:
    (tmp_path / "wp-includes").mkdir()
    (tmp_path / "wp-includes" / "version.php").write_text("<?php\n$wp_version = '6.8';\n$wp_db_version = 5;\n")
    return tmp_path


def program(path: Path, script: str) -> str:
    """A stand-in for PHP: a shell script that finds the PHP file in its last argument."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_the_code_says_which_tables_it_wants(root: Path) -> None:
    assert code_version(str(root)) == 5
    assert code_version(str(root / "absent")) is None
    (root / "wp-includes" / "version.php").write_text("<?php\n// $wp_db_version = 7;\n")
    assert code_version(str(root)) is None


@pytest.mark.parametrize(
    ("answer", "due"),
    [
        ('{"a": 5, "b": 5}', []),
        ('{"a": 5, "b": 4}', ["b"]),
        ('{"a": 5}', ["b"]),
        ('{"a": 5, "b": null}', ["b"]),
        ("[]", ["a", "b"]),
        ("no JSON", ["a", "b"]),
        ("", ["a", "b"]),
    ],
)
def test_what_is_not_known_to_be_well_is_due(root: Path, answer: str, due: list[str]) -> None:
    php = program(root / "php", f"cat >{root}/asked; printf '%s' '{answer}'")
    found = find_due([site(root, "a", php), site(root, "b", php)], "/library")
    assert [given["name"] for given in found] == due
    assert [row["database"]["password"] for row in json.loads((root / "asked").read_text())] == ["database-secret"] * 2


def test_a_host_without_php_is_due_and_no_sites_ask_nobody(root: Path) -> None:
    assert len(find_due([site(root, php=str(root / "absent"))], "/library")) == 1
    assert find_due([], "/library") == []


def test_code_that_does_not_tell_its_version_is_due(root: Path) -> None:
    php = program(root / "php", "echo '{\"blog\": 5}'")
    (root / "wp-includes" / "version.php").unlink()
    assert len(find_due([site(root, php=php)], "/library")) == 1


@pytest.fixture(name="runuser")
def runuser_that_changes_no_user(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Writes its arguments down, then runs the command behind ``--``."""
    folder = root / "bin"
    folder.mkdir()
    program(folder / "runuser", f'echo "$@" >>{root}/argv\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"')
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return root / "argv"


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("cat >/dev/null; echo installed", ("installed", "")),
        ("cat >/dev/null; echo upgraded", ("upgraded", "")),
        ("cat >/dev/null; echo a notice; echo nothing to do", ("nothing", "")),
        ("cat >/dev/null; echo installed; exit 1", ("failed", "installed")),
        ("cat >/dev/null; exit 3", ("failed", "exit status 3")),
        ("cat >/dev/null; echo 'PHP Fatal error: no mysqli' >&2; exit 255", ("failed", "PHP Fatal error: no mysqli")),
        ("cat >/dev/null; echo '<p>No <b>database</b></p>'; exit 0", ("failed", "No database")),
    ],
)
def test_the_installers_last_word_counts(root: Path, runuser: Path, script: str, outcome: tuple[str, str]) -> None:
    assert install(site(root, php=program(root / "php", script)), "/library") == outcome


def test_the_installer_runs_as_the_site_and_hears_secrets_on_standard_input_alone(root: Path, runuser: Path) -> None:
    php = program(root / "php", f"cat >{root}/heard; echo installed")
    install(site(root, php=php), "/library")
    heard = json.loads((root / "heard").read_text())
    assert heard["admin_password"] == "admin-secret"
    assert "database" not in heard
    argv = runuser.read_text().split()
    assert argv[:3] == ["-u", "blog", "--"]
    assert argv[-1] == "/library/wordpress-install.php"
    assert "secret" not in runuser.read_text()


def test_an_installer_that_hangs_is_a_failure(root: Path, runuser: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordpress_tables, "INSTALL_SECONDS", 0.2)
    outcome, reason = install(site(root, php=program(root / "php", "exec sleep 5")), "/library")
    assert (outcome, reason) == ("failed", "no answer within 0.2 seconds")


def test_messages_lose_their_html_and_have_an_end() -> None:
    assert readable("<style>p {}</style><p>Error\n  establishing</p>") == "Error establishing"
    assert len(readable("x" * 5000)) == wordpress_tables.MESSAGE_CHARACTERS


def run_module(arguments: dict[str, Any], check_mode: bool = False) -> subprocess.CompletedProcess[str]:
    """The module as Ansible runs it, in a process of its own."""
    import sys

    text = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, "_ansible_check_mode": check_mode, "_ansible_remote_tmp": "/tmp"}})
    code = (
        "import sys; from ansible.plugins.loader import init_plugin_loader; init_plugin_loader([sys.argv[1]]); "
        "from ansible.module_utils.testing import patch_module_args; import json; "
        "from ansible_collections.lemp.stack.plugins.modules import wordpress_tables\n"
        "with patch_module_args(json.loads(sys.argv[2])['ANSIBLE_MODULE_ARGS']): wordpress_tables.main()"
    )
    from templating import ROOT

    return subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "collections"), text], capture_output=True, text=True, check=False
    )


def test_a_failure_names_every_site_and_no_password(root: Path, runuser: Path) -> None:
    script = 'heard=$(cat)\ncase $* in *check*) echo \'{"good": 5}\';; *) echo "refused admin-secret $heard"; exit 1;; esac'
    php = program(root / "php", script)
    done = run_module({"sites": [site(root, name, php) for name in ("one", "good", "two")]})
    result = json.loads(done.stdout)
    assert result["failed"]
    assert result["msg"].startswith("app_sites: WordPress could not make its tables for one (refused ")
    assert ", two (refused " in result["msg"]
    assert "good (" not in result["msg"]
    assert result["sites"] == {"one": "failed", "good": "nothing", "two": "failed"}
    assert "secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(("check_mode", "outcome"), [(True, "due"), (False, "installed")])
def test_check_mode_tells_and_changes_nothing(root: Path, runuser: Path, check_mode: bool, outcome: str) -> None:
    php = program(root / "php", "cat >/dev/null; case $* in *check*) echo '{}';; *) echo installed;; esac")
    result = json.loads(run_module({"sites": [site(root, php=php)]}, check_mode).stdout)
    assert (result["changed"], result["sites"]) == (True, {"blog": outcome})
    assert runuser.exists() is not check_mode


def test_nothing_changes_where_all_tables_are_there(root: Path, runuser: Path) -> None:
    result = json.loads(run_module({"sites": [site(root, php=program(root / "php", "echo '{\"blog\": 5}'"))]}).stdout)
    assert (result["changed"], result["sites"]) == (False, {"blog": "nothing"})
    assert not runuser.exists()
