"""Module ``config_tree_info``: what it lists, read from generations that transactions wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from _config_desk import Desk
from templating import ROOT


def run(*arguments: str) -> str:
    """What Ansible prints for the module on this machine."""
    command = [str(Path(sys.executable).parent / "ansible"), "localhost", "-m", "lemp.stack.config_tree_info"]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
    }
    options = ["-a", " ".join(arguments), "-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_generations_are_listed_without_their_content(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.run(desk.file("a", "secret 1"))
    desk.run(desk.file("a", "secret 2"))
    said = run(f"store={desk.store.root}")
    assert "SUCCESS" in said
    assert said.count('"origin": "written"') == 2
    assert str(desk.root / "a") in said
    assert "secret" not in said


def test_a_name_that_is_not_kept_is_refused_with_those_that_are(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.run(desk.file("a", "1"))
    assert "name is other, but this host keeps test; choose one of them." in run(f"store={desk.store.root}", "name=other")
    assert "this host keeps nothing" in run(f"store={tmp_path}/absent", "name=other")
