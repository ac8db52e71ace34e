"""Ansible's own engine, for tests: what a template gives with these variables."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).resolve().parents[2]


def trusted(value: Any) -> Any:
    """Mark every string in ``value`` as coming from the user's own files."""
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def evaluate(template: Any, **variables: Any) -> Any:
    return Templar(loader=DataLoader(), variables=trusted(variables)).template(trusted(template))


class Loader(yaml.SafeLoader):
    """YAML as Ansible reads it, as far as tests care: values with a tag such as ``!vault`` are text."""


Loader.add_multi_constructor("!", lambda _loader, _suffix, node: str(node.value))


@cache
def _read(path: Path) -> Any:
    return read_yaml_text(path.read_text())


def read_yaml(path: Path) -> Any:
    """The content of a file, which no test changes; every call returns a copy all the same."""
    return deepcopy(_read(path))


def read_yaml_text(text: str) -> Any:
    return yaml.load(text, Loader=Loader)
