"""A role's templates as its tasks would render them: defaults, a row of the platform table, internal variables, overrides."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from templating import ROOT, read_yaml, trusted

FACTS = {"memtotal_mb": 4096, "processor_nproc": 2, "os_family": "Debian"}
# What ansible says of the supported platforms; Raspberry Pi OS calls itself Debian.
PLATFORMS = {
    f"{distribution} {major}": {
        **FACTS,
        "os_family": family,
        "distribution": distribution,
        "distribution_major_version": major,
        "distribution_release": release,
    }
    for family, distribution, major, release in (
        ("Debian", "Debian", "12", "bookworm"),
        ("Debian", "Debian", "13", "trixie"),
        ("Debian", "Ubuntu", "22", "jammy"),
        ("Debian", "Ubuntu", "24", "noble"),
        ("RedHat", "Rocky", "9", "Blue Onyx"),
        ("RedHat", "Rocky", "10", "Red Quartz"),
    )
}


class Role:
    def __init__(self, name: str) -> None:
        self.path = ROOT / "roles" / name
        self.name = name

    @property
    def platforms(self) -> list[str]:
        return list(self.variables()[f"__{self.name}_platforms"])

    def variables(self, **overrides: Any) -> dict[str, Any]:
        variables: dict[str, Any] = {
            "ansible_facts": FACTS,
            "ansible_managed": "Ansible managed",
            "ansible_play_role_names": [],
            "ansible_check_mode": False,
        }
        for path in [self.path / "defaults" / "main.yml", *sorted(self.path.glob("vars/main/*.yml"))]:
            variables |= read_yaml(path) or {}
        return variables | overrides

    def evaluate(self, expression: str, **overrides: Any) -> Any:
        return self._templar(overrides).template(trusted(expression))

    def render(self, template: str, **overrides: Any) -> str:
        text = (self.path / "templates" / f"{template}.j2").read_text()
        templar = self._templar(overrides)
        templar = templar.copy_with_new_env(searchpath=[str(self.path / "templates")])
        # What module `template` does: newlines stay, blocks leave none behind.
        rendered = templar.template(trusted(text), overrides={"trim_blocks": True, "keep_trailing_newline": True})
        assert isinstance(rendered, str)
        return rendered

    def _templar(self, overrides: dict[str, Any]) -> Templar:
        return Templar(loader=DataLoader(), variables=trusted(self.variables(**overrides)))


def exists(name: str) -> bool:
    return (ROOT / "roles" / name / "templates").is_dir()


def daemon(*names: str) -> str:
    """The first of these programs that is on this machine; else the test is skipped, saying so."""
    for name in names:
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
        if found:
            return found
        candidates = sorted(Path("/usr/sbin").glob(name))
        if candidates:
            return str(candidates[-1])
    pytest.skip(f"the daemon's own parser is not on this machine: {' or '.join(names)}")


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]
