"""Filter ``baseline_boot_arguments``: a Raspberry Pi's kernel with control groups for memory."""

from __future__ import annotations

from templating import evaluate


def test_the_line_gets_what_is_missing_and_is_left_alone_then() -> None:
    call = "{{ text | lemp.stack.baseline_boot_arguments }}"
    once = evaluate(call, text="console=tty1 rootwait\n")
    assert once == "console=tty1 rootwait cgroup_enable=memory\n"
    assert evaluate(call, text=once) == once
