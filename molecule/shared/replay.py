"""Run a scenario's own play again from its tests, with other inputs."""

import contextlib
import json
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).parents[2]


@contextlib.contextmanager
def _arguments(options, extra_vars):
    """Of subprocess. Inputs come from a file, because passwords do not belong into the process list."""
    scratch = os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]
    playbook = f"{os.environ['MOLECULE_SCENARIO_DIRECTORY']}/converge.yml"
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": f"{scratch}/ansible.cfg",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_NOCOLOR": "1",
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as inputs:
        json.dump(extra_vars, inputs)
        inputs.flush()
        command = ["ansible-playbook", "-i", f"{scratch}/inventory", *options, playbook, "-e", f"@{inputs.name}"]
        yield {"args": command, "env": environment, "text": True}


def play(*options, timeout=None, **extra_vars):
    """Run the converge play again, with some inputs replaced; its exit status and what it printed."""
    with _arguments(options, extra_vars) as arguments:
        done = subprocess.run(**arguments, capture_output=True, timeout=timeout, check=False)
    return done.returncode, done.stdout + done.stderr


@contextlib.contextmanager
def playing(*options, **extra_vars):
    """The same as a process that runs, with all that it prints in its ``stdout``."""
    with (
        _arguments(options, extra_vars) as arguments,
        subprocess.Popen(**arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process,
    ):
        yield process
