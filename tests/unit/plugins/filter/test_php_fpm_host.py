"""Filter ``php_fpm_host`` as the role uses it."""

from __future__ import annotations

from templating import evaluate


def test_what_config_tree_takes_arrives_whole() -> None:
    found = evaluate(
        "{{ pools | lemp.stack.php_fpm_host(wanted=['8.4'], running=['8.4'], installed=['8.2', '8.4'], default_version='8.4',"
        " layout=layout, log_dir='/l', log_group='adm', plan={'limits': {}, 'php_fpm': {}}) }}",
        layout={"service": "php%s-fpm.service", "pool_dir": "/p/%s", "ini_dir": "/i/%s", "binary": "php-fpm%s"},
        pools=[{"name": "a", "user": "a", "home": "/srv/a", "socket": "/run/php-fpm/a.sock"}],
    )
    assert sorted(found) == ["directories", "files", "trees", "units", "users", "validators"]
    assert [unit["name"] for unit in found["units"]] == ["php8.2-fpm.service", "php8.4-fpm.service"]
