# GNU General Public License v3.0+ (see LICENSE)
"""Ask the daemons themselves about a staged set, in a private mount namespace in which it lies over the live paths."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

# Takes pairs of staged and live path, "--", and the command to run; 253 says that the pairs could not be mounted.
OVERLAY = 'while [ "$1" != -- ]; do mount --bind "$1" "$2" || exit 253; shift 2; done; shift; exec "$@"'
PRIVATE = ("unshare", "--mount", "--propagation", "private", "--", "sh", "-c", OVERLAY, "sh")
TIMEOUT = 120


class NoNamespace(Exception):
    """The kernel does not let this process have mounts of its own."""


def run(argv: Sequence[str]) -> tuple[int, str]:
    """Exit status and everything a command says; 127 where it does not exist."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        return 127, f"{argv[0]} is not installed"
    except subprocess.TimeoutExpired:
        return 124, f"{argv[0]} did not answer within {TIMEOUT} seconds"
    return done.returncode, done.stdout.strip()


def complaint(validators: Sequence[Sequence[str]], overlays: Sequence[tuple[str, str]] | None) -> str:
    """What the first validator that refuses has to say; nothing where all accept.

    :param overlays: pairs of staged and live path; ``None`` judges the live paths as they are.
    :raises NoNamespace: staged paths cannot be laid over live ones here.
    """
    for argv in validators:
        command = list(argv)
        if overlays is not None:
            command = [*PRIVATE, *(path for pair in overlays for path in pair), "--", *argv]
        status, said = run(command)
        if overlays is not None and (status == 253 or said.startswith("unshare: ")):
            raise NoNamespace(said)
        if status != 0:
            return said or f"{argv[0]} ended with exit status {status}"
    return ""
