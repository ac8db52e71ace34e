"""Filter ``host_services``: which services share a host."""

from __future__ import annotations

from typing import Any

from templating import evaluate


def test_the_groups_of_the_host_decide(variables: dict[str, Any]) -> None:
    services = evaluate("{{ lemp_sites | lemp.stack.host_services(group_names) }}", **variables)
    assert list(services) == ["nginx", "php_fpm", "mariadb"]


def test_pins_about_the_host_come_along(variables: dict[str, Any]) -> None:
    services = evaluate("{{ lemp_sites | lemp.stack.host_services(['web'], {'memory_mb': 512}) }}", **variables)
    assert services["host"] == {"memory_mb": 512}


def test_pins_of_services_come_along_and_zero_is_no_pin(variables: dict[str, Any]) -> None:
    pins = "{}, {'mariadb': {'innodb_buffer_pool_size_mb': 300, 'max_connections': 0}}"
    services = evaluate("{{ lemp_sites | lemp.stack.host_services(['database'], " + pins + ") }}", **variables)
    assert services == {"mariadb": {"innodb_buffer_pool_size_mb": 300}}
