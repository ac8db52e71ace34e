"""Action ``config_tree``: templates are rendered on the controller and arrive in one call."""

from __future__ import annotations

import getpass
import grp
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from templating import ROOT


def run(tmp_path: Path, arguments: dict[str, Any], *options: str) -> dict[str, Any]:
    """Run one task with the action on this machine and return its exit status and everything it printed."""
    task = {"name": "test", "store": str(tmp_path / "store"), **arguments}
    play = [
        {
            "name": "Play",
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {"colour": "red"},
            "tasks": [{"name": "Task", "lemp.stack.config_tree": task}],
        }
    ]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
    }
    program = str(Path(sys.executable).parent / "ansible-playbook")
    command = [
        program,
        "-i",
        "localhost,",
        "-c",
        "local",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "-vvv",
        *options,
        "play.yml",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    return {"status": done.returncode, "output": done.stdout + done.stderr}


def owned_by_me(**entry: Any) -> dict[str, Any]:
    return {"owner": getpass.getuser(), "group": grp.getgrgid(os.getgid()).gr_name, **entry}


def test_templates_see_variables_of_the_play_and_their_own(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.j2").write_text("{{ ansible_managed }} {{ colour }}\n{% if size > 1 %}\nlarge\n{% endif %}\n")
    target = tmp_path / "a.conf"
    result = run(tmp_path, {"files": [owned_by_me(src="a.j2", dest=str(target), vars={"size": 2})]})
    assert result["status"] == 0, result["output"]
    assert target.read_text() == "Ansible managed red\nlarge\n"


def test_content_is_never_part_of_the_result(tmp_path: Path) -> None:
    target = tmp_path / "secret"
    files = [owned_by_me(content="hidden-content", dest=str(target), sensitive=True)]
    result = run(tmp_path, {"files": files}, "--diff")
    assert target.read_text() == "hidden-content"
    assert "hidden-content" not in result["output"]


def test_an_entry_without_source_is_one_clear_sentence(tmp_path: Path) -> None:
    result = run(tmp_path, {"files": [{"dest": str(tmp_path / "a")}]})
    assert result["status"] != 0
    assert "Every entry of files needs dest and either src or content." in result["output"]


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = run(tmp_path, {"files": [{"src": "absent.j2", "dest": str(tmp_path / "a")}]})
    assert result["status"] != 0
    assert "The template absent.j2 was not found" in result["output"]


def test_arguments_that_are_refused_are_not_repeated(tmp_path: Path) -> None:
    files = [owned_by_me(content="hidden-content", dest=str(tmp_path / "a"), unknown_key=1)]
    result = run(tmp_path, {"files": files})
    assert result["status"] != 0
    assert "unknown_key" in result["output"]
    assert "hidden-content" not in result["output"]


def test_a_hundred_files_of_one_template_see_each_their_own_variables(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.j2").write_text("{{ number }} of {{ colour }}\n{% include 'b.j2' %}")
    (tmp_path / "templates" / "b.j2").write_text("included {{ number }}")
    files = [owned_by_me(src="a.j2", dest=str(tmp_path / f"{n}.conf"), vars={"number": n}) for n in range(100)]
    result = run(tmp_path, {"files": files})
    assert result["status"] == 0, result["output"]
    assert [(tmp_path / f"{n}.conf").read_text() for n in (0, 99)] == [f"{n} of red\nincluded {n}" for n in (0, 99)]


def test_a_task_without_a_name_for_its_set_is_refused(tmp_path: Path) -> None:
    result = run(tmp_path, {"name": "Nginx"})
    assert result["status"] != 0
    assert "name is 'Nginx'; use lower-case letters, digits, - and _." in result["output"]
