"""Filter ``postgresql_settings``: which file a setting belongs to."""

from __future__ import annotations

from templating import evaluate

FACTS = {"memtotal_mb": 4096, "processor_nproc": 2}
TEMPLATE = "{{ plan.postgresql | lemp.stack.postgresql_settings(plan.explain, {'jit': true, 'wal_level': 'logical'}) }}"


def test_the_plans_values_are_written_with_their_units_and_the_users_stand_above_them() -> None:
    found = evaluate(TEMPLATE, plan="{{ facts | lemp.stack.plan(['postgresql']) }}", facts=FACTS)
    assert found["start"]["shared_buffers"].endswith("GB'")
    assert found["start"]["wal_level"] == "'logical'"
    assert found["reload"]["jit"] == "'on'"
