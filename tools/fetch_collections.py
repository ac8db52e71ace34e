#!/usr/bin/env python3
"""Put the collections of requirements.yml (and those that tests need) beside ours in collections/.

From Galaxy where it answers; else out of the `ansible` wheel, of which only the wanted folders are unpacked.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import yaml
from ansible import constants

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "collections" / "ansible_collections"
REQUIREMENTS = [ROOT / "requirements.yml", ROOT / "molecule" / "requirements.yml"]
WHEEL = "ansible==14.5.0"
WHEEL_PYTHON = "3.12"


def wanted() -> list[str]:
    return [entry["name"] for path in REQUIREMENTS for entry in yaml.safe_load(path.read_text())["collections"]]


def is_there(name: str) -> bool:
    return (TARGET / name.replace(".", "/") / "MANIFEST.json").is_file()


def galaxy_answers() -> bool:
    try:
        urllib.request.urlopen(constants.config.get_config_value("GALAXY_SERVER"), timeout=5)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def installed_from_galaxy() -> bool:
    """Whether Galaxy answers and gave everything; a gateway in between may answer in its place."""
    if not galaxy_answers():
        return False
    command = ["ansible-galaxy", "collection", "install", "-p", str(ROOT / "collections"), "-r"]
    return all(subprocess.run([*command, str(path)], check=False).returncode == 0 for path in REQUIREMENTS)


def install_from_wheel(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*command, "--python-version", WHEEL_PYTHON, "-d", folder, WHEEL], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            prefixes = tuple(f"ansible_collections/{name.replace('.', '/')}/" for name in names)
            wheel.extractall(folder, [member for member in wheel.namelist() if member.startswith(prefixes)])
        for name in names:
            target = TARGET / name.replace(".", "/")
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(Path(folder) / "ansible_collections" / name.replace(".", "/"), target)


def main() -> None:
    names = wanted()
    if all(map(is_there, names)):
        return
    if not installed_from_galaxy():
        print(f"Collections: Galaxy does not give them, taking them out of the {WHEEL} wheel")
        install_from_wheel(names)
    missing = [name for name in names if not is_there(name)]
    if missing:
        sys.exit(f"error: {', '.join(missing)} could not be installed")
    for name in names:
        manifest = json.loads((TARGET / name.replace(".", "/") / "MANIFEST.json").read_text())
        print(f"  {name} {manifest['collection_info']['version']}")


if __name__ == "__main__":
    main()
