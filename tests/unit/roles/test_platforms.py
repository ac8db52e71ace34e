"""Every role on every platform: what its table leads to, as far as that shows without a host."""

from __future__ import annotations

from typing import Any

import pytest
from rendering import PLATFORMS, Role, lines

each_platform = pytest.mark.parametrize("facts", PLATFORMS.values(), ids=PLATFORMS)
POOL = {"name": "shop", "user": "shop", "home": "/srv/www/shop", "socket": "/run/php-fpm/shop.sock", "extensions": ["mysql"]}


def family(facts: dict[str, Any]) -> str:
    return str(facts["os_family"])


@each_platform
@pytest.mark.parametrize(
    "name", ["app", "baseline", "certbot", "mariadb", "memcached", "nginx", "php_fpm", "postgresql", "redis"]
)
def test_every_role_has_a_row(name: str, facts: dict[str, Any]) -> None:
    assert Role(name).evaluate(f"{{{{ __{name}_platform }}}}", ansible_facts=facts)


@each_platform
def test_nginx_runs_as_the_platforms_user_and_loads_its_modules(facts: dict[str, Any]) -> None:
    text = lines(Role("nginx").render("etc/nginx/nginx.conf", ansible_facts=facts, __nginx_version="1.26.0"))
    user, modules = {
        "Debian": ("www-data", "/etc/nginx/modules-enabled/*.conf"),
        "RedHat": ("nginx", "/usr/share/nginx/modules/*.conf"),
    }[family(facts)]
    assert f"user {user};" in text
    assert f"include {modules};" in text


@each_platform
def test_mariadb_has_its_slow_log_where_the_platform_keeps_logs(facts: dict[str, Any]) -> None:
    text = lines(Role("mariadb").render("etc/mysql/mariadb.conf.d/60-lemp.cnf", ansible_facts=facts, __nginx_version="1.26.0"))
    folder = {"Debian": "/var/log/mysql", "RedHat": "/var/log/mariadb"}[family(facts)]
    assert f"slow_query_log_file = {folder}/mariadb-slow.log" in text


@pytest.mark.parametrize(
    ("platform", "source", "packages", "file", "unit"),
    [
        ("Debian 13", "distribution", ["php8.4-fpm", "php8.4-mysql"], "/etc/php/8.4/fpm/pool.d", "php8.4-fpm.service"),
        ("Ubuntu 24", "distribution", ["php8.3-fpm", "php8.3-mysql"], "/etc/php/8.3/fpm/pool.d", "php8.3-fpm.service"),
        ("Rocky 9", "distribution", ["php-fpm", "php-mysqlnd", "php-opcache"], "/etc/php-fpm.d", "php-fpm.service"),
        (
            "Rocky 10",
            "remi",
            ["php84-php-fpm", "php84-php-mysqlnd"],
            "/etc/opt/remi/php84/php-fpm.d",
            "php84-php-fpm.service",
        ),
    ],
)
def test_a_pool_lands_where_the_platforms_php_fpm_looks(
    platform: str, source: str, packages: list[str], file: str, unit: str
) -> None:
    offered = {"stdout": "php-fpm\n  Depends: php8.3-fpm"} if platform.startswith("Ubuntu") else {"stdout": "8.2.1"}
    inputs = {
        "ansible_facts": {**PLATFORMS[platform], "packages": {}},
        "php_fpm_package_source": source,
        "php_fpm_pools": [{**POOL, **({"version": "8.4"} if source == "remi" else {})}],
        "__php_fpm_available": offered,
    }
    role = Role("php_fpm")
    assert set(packages) <= set(role.evaluate("{{ __php_fpm_packages }}", **inputs))
    host = role.evaluate("{{ __php_fpm_host }}", **inputs)
    assert f"{file}/lemp-shop.conf" in [entry["dest"] for entry in host["files"]]
    assert [entry["name"] for entry in host["units"]] == [unit]


@pytest.mark.parametrize(
    ("facts", "versions"),
    [
        ({"php8.2-fpm": [{}], "php8.4-fpm": [{}], "php8.4-cli": [{}]}, ["8.2", "8.4"]),
        ({}, []),
    ],
)
def test_installed_versions_are_read_from_names_where_they_stand_there(facts: dict[str, Any], versions: list[str]) -> None:
    found = Role("php_fpm").evaluate(
        "{{ __php_fpm_installed_versions }}", ansible_facts={**PLATFORMS["Debian 12"], "packages": facts}
    )
    assert list(found) == versions


def test_installed_versions_are_read_from_the_version_where_the_name_has_none() -> None:
    packages = {"php-fpm": [{"version": "8.3.19"}], "php-cli": [{"version": "8.3.19"}]}
    facts = {**PLATFORMS["Rocky 10"], "packages": packages}
    assert list(Role("php_fpm").evaluate("{{ __php_fpm_installed_versions }}", ansible_facts=facts)) == ["8.3"]
    assert Role("php_fpm").evaluate("{{ __php_fpm_own_version }}", ansible_facts=facts) == "8.3"
    remi = {**PLATFORMS["Rocky 9"], "packages": {"php84-php-fpm": [{"version": "8.4.1"}]}}
    found = Role("php_fpm").evaluate("{{ __php_fpm_installed_versions }}", ansible_facts=remi, php_fpm_package_source="remi")
    assert list(found) == ["8.4"]


@pytest.mark.parametrize(
    ("installed", "versions", "default"),
    [
        ("", ["", "8.3"], "8.3"),
        ("", ["", ""], "8.0"),
        ("8.0.30", ["8.3"], "8.0"),
    ],
    ids=["bare host, one site names its version", "bare host, nobody names one", "another is installed"],
)
def test_pools_without_a_version_take_what_the_one_version_of_the_host_will_be(
    installed: str, versions: list[str], default: str
) -> None:
    packages = {"php-fpm": [{"version": installed}]} if installed else {}
    inputs = {
        "ansible_facts": {**PLATFORMS["Rocky 9"], "packages": packages},
        "php_fpm_pools": [{**POOL, "name": f"pool{number}", "version": version} for number, version in enumerate(versions)],
        "__php_fpm_available": {"stdout": "8.0.30"},
    }
    assert Role("php_fpm").evaluate("{{ __php_fpm_default_version }}", **inputs) == default


def test_a_package_source_of_others_is_for_its_platforms_only() -> None:
    def sources(platform: str) -> list[str]:
        return list(Role("php_fpm").evaluate("{{ __php_fpm_platform.sources }}", ansible_facts=PLATFORMS[platform]))

    assert (sources("Debian 13"), sources("Ubuntu 24"), sources("Rocky 9")) == (
        ["distribution", "sury"],
        ["distribution"],
        ["distribution", "remi"],
    )
