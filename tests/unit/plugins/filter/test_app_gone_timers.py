"""Filter ``app_gone_timers``: timers of sites that left."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_only_the_timer_of_a_site_that_left_is_named(variables: dict[str, Any]) -> None:
    template = "{{ changed | lemp.stack.app_gone_timers(lemp_sites | lemp.stack.app_sites) }}"
    changed = ["/etc/lemp/wordpress-blog.conf", "/etc/lemp/wordpress-old.conf"]
    assert evaluate(template, changed=changed, **variables) == ["lemp-wordpress-cron@old.timer"]
