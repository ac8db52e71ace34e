# GNU General Public License v3.0+ (see LICENSE)
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.template import trust_as_template

# What an entry says to the template engine alone.
LOCAL = ("vars", "trim_blocks", "lstrip_blocks")


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """Render the templates of lemp.stack.config_tree and hand their content to its module in one call."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        super().run(tmp, variables)
        arguments = dict(self._task.args)
        if arguments.get("directories"):
            arguments["directories"] = [
                entry if isinstance(entry, Mapping) else {"path": entry} for entry in arguments["directories"]
            ]
        self._templars: dict[str, Any] = {}
        self._templates: dict[str, Any] = {}
        if arguments.get("files"):
            arguments["files"] = [self._render(entry, variables) for entry in arguments["files"]]
        result: dict[str, Any] = self._execute_module(
            module_name="lemp.stack.config_tree", module_args=arguments, task_vars=variables
        )
        # Where the arguments themselves are refused, Ansible would repeat them, whole files and their passwords included.
        result.pop("invocation", None)
        return result

    def _render(self, entry: Any, variables: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(entry, Mapping) or "dest" not in entry or ("src" in entry) == ("content" in entry):
            raise AnsibleActionFail("Every entry of files needs dest and either src or content.")
        if "content" in entry:
            return dict(entry)
        path, text = self._template(entry["src"])
        templar = self._templar_of(os.path.dirname(path), variables)
        templar.available_variables = {
            "ansible_managed": "Ansible managed",
            "template_path": entry["src"],
            "template_fullpath": path,
            "template_destpath": entry["dest"],
            **variables,
            **(entry.get("vars") or {}),
        }
        content = templar.template(
            text,
            escape_backslashes=False,
            overrides={
                "trim_blocks": boolean(entry.get("trim_blocks", True)),
                "lstrip_blocks": boolean(entry.get("lstrip_blocks", False)),
                "newline_sequence": "\n",
            },
        )
        sent = {key: value for key, value in entry.items() if key not in LOCAL}
        return {**sent, "content": "" if content is None else content}

    def _template(self, source: str) -> tuple[str, Any]:
        """Where a template is, and its text, read once for all files that come from it."""
        if source not in self._templates:
            try:
                path = self._find_needle("templates", source)
            except AnsibleError as error:
                raise AnsibleActionFail(f"The template {source} was not found: {error}") from error
            self._templates[source] = (path, trust_as_template(self._loader.get_text_file_contents(path)))
        found: tuple[str, Any] = self._templates[source]
        return found

    def _templar_of(self, folder: str, variables: dict[str, Any]) -> Any:
        """One template engine for all templates of a folder, which may include each other."""
        if folder not in self._templars:
            folders = [*variables.get("ansible_search_path", []), self._loader.get_basedir(), folder]
            self._templars[folder] = self._templar.copy_with_new_env(
                searchpath=[candidate for name in folders for candidate in (os.path.join(name, "templates"), name)]
            )
        return self._templars[folder]
