"""What every filter owes its users: a clear error, examples that run, and documentation that renders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError
from templating import ROOT, evaluate

NAMES = sorted(path.stem for path in (ROOT / "plugins" / "filter").glob("*.py"))
FOLDER = ROOT / "plugins" / "filter"
SITE_FILTERS = [name for name in NAMES if "description: The sites of the stack" in (FOLDER / f"{name}.py").read_text()]
ARGUMENTS = {"host_services": "(['web'])"}


@pytest.fixture(name="documentation", scope="module")
def rendered_documentation() -> dict[str, Any]:
    command = [
        str(Path(sys.executable).parent / "ansible-doc"),
        "-t",
        "filter",
        "--json",
        *(f"lemp.stack.{name}" for name in NAMES),
    ]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", NAMES)
def test_every_filter_has_a_test_file_of_its_own(name: str) -> None:
    assert (Path(__file__).parent / f"test_{name}.py").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_documentation_is_complete(name: str, documentation: dict[str, Any]) -> None:
    described = documentation[f"lemp.stack.{name}"]
    assert described["doc"]["short_description"]
    assert described["doc"]["options"]["_input"]["description"]
    assert described["return"]["_value"]["description"]


@pytest.mark.parametrize("name", NAMES)
def test_examples_run(name: str, documentation: dict[str, Any], variables: dict[str, Any]) -> None:
    tasks = yaml.safe_load(documentation[f"lemp.stack.{name}"]["examples"])
    assert tasks
    for task in tasks:
        assert f"lemp.stack.{name}" in task["ansible.builtin.debug"]["msg"]
        assert evaluate(task["ansible.builtin.debug"]["msg"], **{**variables, **task.get("vars", {})}) is not None


@pytest.mark.parametrize("name", SITE_FILTERS)
def test_a_bad_site_is_an_error_of_one_sentence(name: str) -> None:
    with pytest.raises(AnsibleError) as caught:
        evaluate("{{ [{'name': 'Shop'}] | lemp.stack." + name + ARGUMENTS.get(name, "") + " }}")
    assert f"'lemp.stack.{name}' failed: lemp_sites[0] (Shop): name is 'Shop'" in str(caught.value)


@pytest.mark.parametrize("name", SITE_FILTERS)
def test_no_sites_give_nothing(name: str) -> None:
    result = evaluate("{{ [] | lemp.stack." + name + ARGUMENTS.get(name, "") + " }}")
    assert result in ([], {"nginx": {}})
