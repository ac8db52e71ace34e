"""What all scenarios share: the rows of the roles' own platform tables, so that no test names a distribution's path.

Modules in ``shared`` are imported by tests as they are (``from replay import play``).
"""

import pathlib
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "collections"), str(ROOT / "molecule" / "shared")]
from ansible_collections.lemp.stack.plugins.module_utils._platform import platform_row  # noqa: E402


@pytest.fixture(scope="module")
def row(host):
    """A role's row for the host, as the role itself takes it."""
    name = host.system_info.distribution.capitalize()
    facts = {
        "os_family": "Debian" if name in ("Debian", "Ubuntu") else "RedHat",
        "distribution": name,
        "distribution_major_version": (host.system_info.release or "").split(".")[0],
    }

    def of(role):
        table = yaml.safe_load((ROOT / "roles" / role / "vars" / "main" / "platforms.yml").read_text())
        return platform_row(facts, table[f"__{role}_platforms"])

    return of


@pytest.fixture(scope="module")
def php(host, row):
    """Where the distribution's PHP-FPM has its files, and its unit."""
    layout = row("php_fpm")["sources"]["distribution"]
    version = host.check_output("php -r 'echo PHP_MAJOR_VERSION . \".\" . PHP_MINOR_VERSION;'")
    return {name: layout[name].replace("%s", version) for name in ("pool_dir", "ini_dir", "service", "binary")}
