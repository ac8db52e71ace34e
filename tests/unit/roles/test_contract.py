"""The contract that every role keeps: inputs, platforms, tasks, handlers, names, documentation, packaging."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from packaging.specifiers import SpecifierSet
from templating import ROOT, read_yaml, read_yaml_text

ROLES = sorted(path.parent.parent for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))
SECRET = re.compile(r"(^|_)(password|passphrase|secret|token|key_pem|private_key)$")
TEXT = re.compile(r"^# ?")
FAMILIES = ("Debian", "RedHat")

if not ROLES:
    raise AssertionError("there is no role to test")


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def spec_of(role: Path) -> dict[str, Any]:
    return read_yaml(role / "meta" / "argument_specs.yml")["argument_specs"]


def options_of(role: Path) -> dict[str, Any]:
    return spec_of(role)["main"].get("options", {})


def defaults_of(role: Path) -> dict[str, Any]:
    path = role / "defaults" / "main.yml"
    return (read_yaml(path) or {}) if path.is_file() else {}


def leaves(options: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, option in options.items():
        yield f"{prefix}{name}", option
        yield from leaves(option.get("options", {}), f"{prefix}{name}.")


OPTIONS = [
    pytest.param(option, id=f"{role.name}:{entry}:{name}")
    for role in ROLES
    for entry, spec in spec_of(role).items()
    for name, option in leaves(spec.get("options", {}))
]
NAMED_OPTIONS = [
    pytest.param(name.rpartition(".")[2], option, id=f"{role.name}:{entry}:{name}")
    for role in ROLES
    for entry, spec in spec_of(role).items()
    for name, option in leaves(spec.get("options", {}))
]


def task_files(role: Path) -> list[Path]:
    return sorted([*role.glob("tasks/**/*.yml"), *role.glob("handlers/**/*.yml")])


def tasks_in(path: Path) -> Iterator[dict[str, Any]]:
    def walk(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for task in tasks:
            yield task
            for part in ("block", "rescue", "always"):
                yield from walk(task.get(part) or [])

    yield from walk(read_yaml(path) or [])


TASKS = [
    pytest.param(role, path, task, id=f"{relative(path)}:{task.get('name')}")
    for role in ROLES
    for path in task_files(role)
    for task in tasks_in(path)
]


def each_role(values: list[Path] = ROLES) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("role", values, ids=lambda role: role.name)


def code_of(path: Path) -> str:
    """The file without whole-line comments."""
    return "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))


# Inputs: one contract in two files


@each_role()
def test_defaults_are_the_options_that_have_one_in_the_same_order(role: Path) -> None:
    defaults, options = list(defaults_of(role)), list(options_of(role))
    assert [name for name in options if name in defaults] == defaults


@each_role()
def test_an_option_without_a_default_is_shown_as_a_comment_in_defaults(role: Path) -> None:
    path = role / "defaults" / "main.yml"
    text = path.read_text() if path.is_file() else ""
    missing = [name for name in options_of(role) if name not in defaults_of(role) and not re.search(rf"^# {name}:", text, re.M)]
    assert missing == []


@each_role()
def test_a_default_equals_the_one_in_the_spec(role: Path) -> None:
    defaults = defaults_of(role)
    documented = {name: option["default"] for name, option in options_of(role).items() if "default" in option}
    assert {name: defaults.get(name) for name in documented} == documented


@each_role()
def test_a_literal_default_is_documented_in_the_spec(role: Path) -> None:
    options = options_of(role)
    literal = [name for name, value in defaults_of(role).items() if "{{" not in str(value)]
    assert [name for name in literal if "default" not in options.get(name, {})] == []


@each_role()
def test_literal_defaults_fit_the_declared_type(role: Path) -> None:
    options = options_of(role)
    for name, value in defaults_of(role).items():
        if "{{" in str(value):
            continue
        result = ArgumentSpecValidator({name: {**options[name], "default": None}}).validate({name: value})
        assert result.error_messages == [], name
        # Ansible validates a role's inputs without converting them, so a default has to have its type already.
        assert result.validated_parameters[name] == value, name
        fitting = {float: (float, int)}.get(type(result.validated_parameters[name]), type(result.validated_parameters[name]))
        assert isinstance(value, fitting), name


@each_role()
def test_every_input_begins_with_the_name_of_the_role(role: Path) -> None:
    names = {name for spec in spec_of(role).values() for name in spec.get("options", {})} | set(defaults_of(role))
    assert [name for name in names if not name.startswith(f"{role.name}_")] == []


@each_role()
def test_internal_variables_begin_with_two_underscores_and_the_name_of_the_role(role: Path) -> None:
    names = [name for path in role.glob("vars/**/*.yml") for name in read_yaml(path) or {}]
    assert [name for name in names if not name.startswith(f"__{role.name}_")] == []


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_has_a_type_and_a_description(option: dict[str, Any]) -> None:
    assert option.get("type")
    assert option.get("description")


@pytest.mark.parametrize("option", OPTIONS)
def test_lists_say_what_is_in_them_and_dicts_name_their_keys(option: dict[str, Any]) -> None:
    if option["type"] == "list":
        assert option.get("elements")
    if option.get("elements") == "dict":
        assert option.get("options")


@pytest.mark.parametrize(("name", "option"), NAMED_OPTIONS)
def test_secrets_are_kept_out_of_logs(name: str, option: dict[str, Any]) -> None:
    if SECRET.search(name) and option["type"] in ("str", "raw"):
        assert option.get("no_log") is True
        assert "default" not in option


@each_role()
def test_callable_task_files_have_a_spec_and_every_spec_a_task_file(role: Path) -> None:
    entries = set(spec_of(role)) - {"main"}
    files = {path.stem for path in role.glob("tasks/*.yml")}
    assert entries <= files
    included = {
        Path(match).stem.partition("_{")[0]
        for path in task_files(role)
        for match in re.findall(r"(?:import|include)_tasks:\s*(?:file:\s*)?(\S+)", path.read_text())
    }
    alone = {
        name for name in files - {"main"} if name not in included and not any(name.startswith(f"{part}_") for part in included)
    }
    assert alone - entries == set(), "task files that nothing includes and no spec describes"


@each_role()
def test_every_entry_point_is_described(role: Path) -> None:
    for spec in spec_of(role).values():
        assert spec.get("short_description")
        assert not spec["short_description"].endswith(".")
        assert spec.get("description")


# Platforms


@each_role()
def test_rows_of_families_have_equal_keys_and_specific_rows_no_others(role: Path) -> None:
    path = role / "vars" / "main" / "platforms.yml"
    if not path.is_file():
        assert not list(role.glob("tasks/install_*.yml"))
        return
    tables = [value for name, value in read_yaml(path).items() if name == f"__{role.name}_platforms"]
    assert len(tables) == 1
    [table] = tables
    keys = sorted(table["Debian"])
    assert {family: sorted(table[family]) for family in FAMILIES} == dict.fromkeys(FAMILIES, keys)
    assert {row: sorted(set(values) - set(keys)) for row, values in table.items()} == {row: [] for row in table}
    assert {row for row in table if row.split()[0] not in {*FAMILIES, "Ubuntu", "Rocky"}} == set()


@each_role()
def test_every_install_step_of_the_table_has_its_file(role: Path) -> None:
    path = role / "vars" / "main" / "platforms.yml"
    rows = read_yaml(path)[f"__{role.name}_platforms"].values() if path.is_file() else []
    wanted = {f"install_{row['install']}" for row in rows if "install" in row}
    assert {file.stem for file in role.glob("tasks/install_*.yml")} == wanted


@each_role()
def test_platforms_differ_in_the_table_and_install_files_only(role: Path) -> None:
    found = [
        relative(path)
        for folder in ("defaults", "handlers", "tasks", "templates", "vars")
        for path in (role / folder).glob("**/*")
        if path.is_file()
        and not re.fullmatch(r"tasks/install_\w+\.yml|vars/main/platforms\.yml", str(path.relative_to(role)))
        and re.search(r"os_family|ansible_facts(\.|\[')distribution", code_of(path))
    ]
    assert found == []


# Tasks


@pytest.mark.parametrize(("role", "path", "task"), TASKS)
def test_tasks_use_nothing_that_hides_state_or_errors(role: Path, path: Path, task: dict[str, Any]) -> None:
    modules = {key.rpartition(".")[2] for key in task}
    assert not modules & {
        "set_fact",
        "include_vars",
        "ignore_errors",
        "ignore_unreachable",
        "lineinfile",
        "apt_key",
        "apt_repository",
    }
    assert not {key for key in task if key.startswith("with_")}
    for arguments in task.values():
        if isinstance(arguments, dict):
            assert arguments.get("state") != "latest"


@pytest.mark.parametrize(("role", "path", "task"), TASKS)
def test_what_a_task_registers_or_loops_over_is_internal(role: Path, path: Path, task: dict[str, Any]) -> None:
    prefix = f"__{role.name}_"
    assert str(task.get("register", prefix)).startswith(prefix)
    if "loop" in task or "loop_control" in task:
        assert str(task.get("loop_control", {}).get("loop_var")).startswith(prefix)
    is_call = any(key.rpartition(".")[2] in ("import_role", "include_role") for key in task)
    if not is_call:
        assert [name for name in task.get("vars", {}) if not name.startswith((prefix, "ansible_"))] == []


@pytest.mark.parametrize("path", [path for role in ROLES for path in role.glob("tasks/*.yml")], ids=relative)
def test_tasks_of_a_file_share_a_prefix_and_those_of_the_index_have_none(path: Path) -> None:
    """What rule name[prefix] of ansible-lint means; it demands a lower-case prefix, which rule name[casing] refuses."""
    names = [task["name"] for task in tasks_in(path) if "name" in task]
    if path.name == "main.yml":
        assert [name for name in names if " | " in name] == []
    else:
        assert len({name.partition(" | ")[0] for name in names}) == 1
        assert [name for name in names if not re.match(r"[A-Z]\w*(?: \w+)* \| [A-Z]", name)] == []


@pytest.mark.parametrize(("role", "path", "task"), TASKS)
def test_no_role_includes_another(role: Path, path: Path, task: dict[str, Any]) -> None:
    assert not {key for key in task if key.rpartition(".")[2] in ("import_role", "include_role")}


@pytest.mark.parametrize(("role", "path", "task"), TASKS)
def test_tags_are_the_name_of_the_role_and_its_purposes_and_in_the_index_only(
    role: Path, path: Path, task: dict[str, Any]
) -> None:
    tags = task.get("tags", [])
    purposes = {"install", "configure", "service", "verify"} | {file.stem for file in role.glob("tasks/*.yml")}
    known = {role.name, *(f"{role.name}_{purpose}" for purpose in purposes)}
    # A feature that shares its task file with others is known by the beginning of its inputs' names.
    features = {tag for tag in tags if any(name.startswith(tag) for name in options_of(role))}
    assert set([tags] if isinstance(tags, str) else tags) <= known | features
    assert bool(tags) == (path.name == "main.yml" and path.parent.name == "tasks")


@pytest.mark.parametrize(("role", "path", "task"), TASKS)
def test_a_task_that_handles_secrets_says_so(role: Path, path: Path, task: dict[str, Any]) -> None:
    for key, arguments in task.items():
        given = arguments if isinstance(arguments, dict) and "." in key else {}
        if any(SECRET.search(name) and isinstance(value, str) and "{{" in value for name, value in given.items()):
            assert task.get("no_log") is True


@each_role()
def test_handlers_that_are_notified_exist_in_the_role(role: Path) -> None:
    handlers = [task for path in role.glob("handlers/**/*.yml") for task in tasks_in(path)]
    known = {task["name"] for task in handlers}
    for task in handlers:
        listens = task.get("listen", [])
        known |= {listens} if isinstance(listens, str) else set(listens)
    notified: set[str] = set()
    for path in task_files(role):
        for task in tasks_in(path):
            names = task.get("notify", [])
            notified |= {names} if isinstance(names, str) else set(names)
    assert notified <= known
    silent = [
        task["name"]
        for task in handlers
        if not {task["name"], *([task["listen"]] if isinstance(task.get("listen"), str) else task.get("listen", []))} & notified
    ]
    assert silent == [], "handlers that nothing notifies"


def test_no_two_roles_have_a_handler_of_the_same_name() -> None:
    names = [task["name"] for role in ROLES for path in role.glob("handlers/**/*.yml") for task in tasks_in(path)]
    assert sorted(names) == sorted(set(names))


@each_role()
def test_facts_are_never_injected(role: Path) -> None:
    allowed = {"ansible_facts", "ansible_managed", "ansible_play_role_names", "ansible_play_batch", "ansible_version"}
    allowed |= {"ansible_check_mode", "ansible_diff_mode", "ansible_remote_tmp"}
    allowed |= {"ansible_host", "ansible_port", "ansible_user", "ansible_connection"}
    for folder in ("defaults", "handlers", "tasks", "templates", "vars"):
        for path in (role / folder).glob("**/*"):
            if path.is_file():
                used = set(re.findall(r"\bansible_\w+(?![\w.])", code_of(path))) - allowed
                assert not {name for name in used if f"{name}." not in path.read_text()}, relative(path)


@each_role()
def test_a_role_names_no_variable_of_another(role: Path) -> None:
    others = {name for other in ROLES if other != role for spec in spec_of(other).values() for name in spec.get("options", {})}
    for folder in ("defaults", "handlers", "tasks", "templates", "vars"):
        for path in (role / folder).glob("**/*"):
            if path.is_file():
                words = set(re.findall(r"(?<![\w./-])[a-z]\w+(?![\w-])", code_of(path)))
                assert not words & others, relative(path)


@each_role()
def test_what_all_roles_share_is_read_in_defaults_only(role: Path) -> None:
    for folder in ("handlers", "tasks", "templates", "vars"):
        for path in (role / folder).glob("**/*"):
            if path.is_file():
                # A fact that module host_capacity measured is no input.
                code = code_of(path).replace("$lemp_", "").replace("'lemp_capacity'", "")
                assert not re.search(r"(?<![\w.$/-])lemp_\w+", code), relative(path)


@each_role()
def test_a_role_depends_on_no_other(role: Path) -> None:
    assert read_yaml(role / "meta" / "main.yml")["dependencies"] == []


# Documentation


@each_role()
def test_the_readme_holds_the_table_of_variables(role: Path) -> None:
    path = role / "README.md"
    assert path.is_file(), f"{relative(path)} does not exist yet"
    text = path.read_text()
    assert text.count("<!-- variables: begin -->") == text.count("<!-- variables: end -->") == 1


def test_generated_tables_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "readme.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# Spelling: Ansible itself accepts any name


def known_names() -> set[str]:
    names = {name for role in ROLES for spec in spec_of(role).values() for name in spec.get("options", {})}
    return names | {name for role in ROLES for name in defaults_of(role)}


def shared_names() -> set[str]:
    places = ("playbooks/*.yml", "playbooks/*/*.yml", "roles/*/defaults/main.yml", "molecule/shared/*.yml")
    sources = [path for place in places for path in ROOT.glob(place)]
    return {name for path in sources for name in re.findall(r"\b(?:lemp|prepare)_\w+", path.read_text())}


def variables_of_plays(plays: Any) -> Iterator[dict[str, Any]]:
    """Each place in a playbook that sets variables."""
    for play in plays if isinstance(plays, list) else []:
        if not isinstance(play, dict):
            continue
        for holder in [play, *(play.get("roles") or []), *(play.get("pre_tasks") or []), *(play.get("tasks") or [])]:
            if isinstance(holder, dict) and isinstance(holder.get("vars"), dict):
                yield holder["vars"]
            if isinstance(holder, dict) and "role" in holder:
                rest = {key: value for key, value in holder.items() if "_" in key and key not in ("become_user",)}
                yield rest


def readme_examples() -> Iterator[tuple[str, Any]]:
    for path in [ROOT / "README.md", *ROOT.glob("roles/*/README.md")]:
        if path.is_file():
            for number, block in enumerate(re.findall(r"^```ya?ml\n(.*?)^```", path.read_text(), re.M | re.S)):
                yield f"{relative(path)}:{number}", read_yaml_text(block)


def written_variables() -> Iterator[Any]:
    for path in sorted([*ROOT.glob("inventories/**/group_vars/**/*.yml"), *ROOT.glob("inventories/**/host_vars/**/*.yml")]):
        yield pytest.param(path.read_text(), read_yaml(path) or {}, id=relative(path))
    for path in sorted(ROOT.glob("inventories/*/hosts.yml")):
        text = path.read_text()
        names = re.findall(r"^\s+([a-z]+_\w+):\s*\S", text, re.M)
        yield pytest.param("", dict.fromkeys(names), id=relative(path))
    for path in sorted([*ROOT.glob("molecule/*/*.yml"), *ROOT.glob("playbooks/*.yml")]):
        for number, variables in enumerate(variables_of_plays(read_yaml(path))):
            yield pytest.param(path.read_text(), variables, id=f"{relative(path)}:{number}")
        molecule = read_yaml(path) if path.name == "molecule.yml" else {}
        for number, group in enumerate(
            ((molecule or {}).get("provisioner", {}).get("inventory", {}).get("group_vars", {}) or {}).values()
        ):
            yield pytest.param("", group, id=f"{relative(path)}:group_vars:{number}")
    for where, content in readme_examples():
        if isinstance(content, dict):
            yield pytest.param("", content, id=where)
        for number, variables in enumerate(variables_of_plays(content)):
            yield pytest.param(str(content), variables, id=f"{where}:{number}")


@pytest.mark.parametrize(("text", "variables"), list(written_variables()))
def test_every_variable_that_is_written_exists(text: str, variables: dict[str, Any]) -> None:
    known = known_names() | shared_names()
    vaults = {name for name in variables if name.startswith("vault_")}
    used_nearby = {name for name in variables if len(re.findall(rf"\b{name}\b", text)) > 1 or name.startswith("__")}
    unknown = {name for name in variables if not name.startswith("ansible_")} - known - vaults - used_nearby
    not_variables = {"collections", "hosts"}
    assert unknown - not_variables == set()


@pytest.mark.parametrize(("text", "variables"), list(written_variables()))
def test_sites_that_are_written_down_are_accepted(text: str, variables: dict[str, Any]) -> None:
    from ansible_collections.lemp.stack.plugins.module_utils._site import complete

    sites = variables.get("lemp_sites", [])
    if isinstance(sites, list):
        assert len(complete([with_rendered_values(site) for site in sites])) == len(sites)


def with_rendered_values(site: dict[str, Any]) -> dict[str, Any]:
    """A site with something in place of the templates in keys whose form is checked."""
    rendered = dict(site)
    if "{{" in str(site.get("url", "")):
        rendered["url"] = f"https://{site['domains'][0]}"
    if "{{" in str((site.get("wordpress") or {}).get("archive_checksum", "")):
        rendered["wordpress"] = {**site["wordpress"], "archive_checksum": f"sha256:{'0' * 64}"}
    return rendered


# Packaging


def test_galaxy_and_requirements_name_the_same_collections() -> None:
    required = {entry["name"]: entry["version"] for entry in read_yaml(ROOT / "requirements.yml")["collections"]}
    assert read_yaml(ROOT / "galaxy.yml")["dependencies"] == required


def test_every_dependency_has_both_bounds() -> None:
    for versions in read_yaml(ROOT / "galaxy.yml")["dependencies"].values():
        assert re.fullmatch(r">=\d+\.\d+\.\d+,<\d+\.\d+\.\d+", versions)


def used_collections() -> set[str]:
    """Collections whose modules the roles and playbooks call."""
    paths = [path for role in ROLES for path in task_files(role)] + list(ROOT.glob("playbooks/**/*.yml"))
    found = {match for path in paths for match in re.findall(r"^\s*(?:- )?([a-z]+\.[a-z_]+)\.[a-z_]+:", path.read_text(), re.M)}
    return found - {"ansible.builtin", "lemp.stack"}


def test_exactly_the_collections_that_are_used_are_required() -> None:
    assert set(read_yaml(ROOT / "galaxy.yml")["dependencies"]) == used_collections()


def test_the_running_ansible_is_one_that_the_collection_claims_to_support() -> None:
    from ansible import __version__

    assert __version__ in SpecifierSet(read_yaml(ROOT / "meta" / "runtime.yml")["requires_ansible"])
    for role in ROLES:
        assert f">={read_yaml(role / 'meta' / 'main.yml')['galaxy_info']['min_ansible_version']}.0" == ">=2.19.0"


@pytest.fixture(name="members", scope="module")
def members_of_the_archive(tmp_path_factory: pytest.TempPathFactory) -> list[tarfile.TarInfo]:
    folder = tmp_path_factory.mktemp("build")
    command = [
        str(Path(sys.executable).parent / "ansible-galaxy"),
        "collection",
        "build",
        str(ROOT),
        "--output-path",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        return archive.getmembers()


TOP_LEVEL = {
    "CHANGELOG.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md", "changelogs", "inventories", "meta", "playbooks",
    "plugins", "requirements.yml", "roles", "site.yml",
}  # fmt: skip


def test_the_archive_holds_what_users_need_and_nothing_else(members: list[tarfile.TarInfo]) -> None:
    assert {member.name.split("/")[0] for member in members} == {
        name for name in TOP_LEVEL if name in ("FILES.json", "MANIFEST.json") or (ROOT / name).exists()
    }


def test_the_archive_holds_no_link_no_cache_and_no_key(members: list[tarfile.TarInfo]) -> None:
    bad = re.compile(r"__pycache__|\.pyc$|(^|/)collections(/|$)|\.pem$|(^|/)\.(?!keep)")
    assert [member.name for member in members if member.issym() or member.islnk() or bad.search(member.name)] == []


def test_the_archive_is_small(members: list[tarfile.TarInfo]) -> None:
    assert sum(member.size for member in members) < 3_000_000


def test_everything_that_users_read_first_is_there() -> None:
    assert [name for name in sorted(TOP_LEVEL - {"FILES.json", "MANIFEST.json"}) if not (ROOT / name).exists()] == []
