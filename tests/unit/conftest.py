"""Make ``ansible_collections.lemp.stack`` mean this checkout, and property tests repeatable.

Ansible's own loader provides ``ansible_collections``; a path on ``sys.path`` would stop that loader from working.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
os.environ["ANSIBLE_INJECT_FACT_VARS"] = "false"
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / "collections")

from ansible.plugins.loader import init_plugin_loader  # noqa: E402  (reads the environment set above)
from hypothesis import HealthCheck, settings  # noqa: E402

init_plugin_loader([str(ROOT / "collections")])

settings.register_profile(
    "lemp",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=150,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", parent=settings.get_profile("lemp"), derandomize=False, max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "lemp"))
