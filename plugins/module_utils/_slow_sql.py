# GNU General Public License v3.0+ (see LICENSE)
"""SQL as text: what of a statement may be shown to people, which statements are alike, and which EXPLAIN can take.

Values in a statement may be personal data. Whatever is not surely a keyword, a name or a sign counts as a value.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

MARIADB, POSTGRESQL = "mariadb", "postgresql"
SHOWN_CHARACTERS = 4000
# A longer statement is an import rather than a question; its plan says nothing.
EXPLAINED_CHARACTERS = 65536

# MariaDB: https://mariadb.com/kb/en/string-literals/, https://mariadb.com/kb/en/comment-syntax/
_MARIADB = r"""
    (?P<comment>/\*.*?(?:\*/|\Z)|--(?=\s|\Z)[^\n]*|\#[^\n]*)
  | (?P<literal>[xXbBnN]?'(?:{inside}|''|[^'])*(?:'|\Z)|"(?:{inside}|""|[^"])*(?:"|\Z))
  | (?P<name>`(?:[^`]|``)*(?:`|\Z))
  | (?P<parameter>\?)
"""
# PostgreSQL: https://www.postgresql.org/docs/current/sql-syntax-lexical.html; comments nest and are found apart.
_POSTGRESQL = r"""
    (?P<comment>--[^\n]*)
  | (?P<literal>[eE]'(?:\\.|''|[^'])*(?:'|\Z)|(?:[uU]&|[bBxXnN])?'(?:{inside}|''|[^'])*(?:'|\Z)
      |\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
  | (?P<name>(?:[uU]&)?"(?:[^"]|"")*(?:"|\Z))
  | (?P<parameter>\$\d+)
"""
_COMMON = r"""
  | (?P<space>\s+)
  | (?P<number>\d[\w$]*(?:\.\w*)?(?:(?<=[eE])[+-]\d+)?|\.\d\w*(?:(?<=[eE])[+-]\d+)?)
  | (?P<word>[^\W\d][\w$]*)
  | (?P<other>.)
"""


@dataclass(frozen=True)
class Dialect:
    """How a server reads its statements; ``backslashes`` escape in plain strings (MariaDB's default, not PostgreSQL's)."""

    engine: str
    backslashes: bool

    @property
    def pattern(self) -> re.Pattern[str]:
        return _PATTERNS[self]


def _compiled(dialect: Dialect) -> re.Pattern[str]:
    own = _MARIADB if dialect.engine == MARIADB else _POSTGRESQL
    # Where no backslash escapes, that alternative is a quote that is no quote.
    return re.compile(own.replace("{inside}", r"\\." if dialect.backslashes else "''") + _COMMON, re.X | re.S)


_DIALECTS = [Dialect(engine, backslashes) for engine in (MARIADB, POSTGRESQL) for backslashes in (True, False)]
_PATTERNS = {dialect: _compiled(dialect) for dialect in _DIALECTS}
_NESTED = re.compile(r"/\*|\*/")
_VERB = re.compile(r"[\s(]*(?:select|insert|update|delete|replace|with)\b", re.I)
_TYPED = re.compile(r"\b(date|interval|time|timestamp|timestamptz)\s+(\$\d+)", re.I)
_LIST = re.compile(r"(\?|\$\d+)(?: ?, ?(?:\?|\$\d+))+")
_ROWS = re.compile(r"\((?:\?|\$\d+)(?:, \.\.\.)?\)(?: ?, ?\((?:\?|\$\d+)(?:, \.\.\.)?\))+")


@dataclass(frozen=True)
class Masked:
    """A statement without its values.

    ``text`` is one line for people, ``identity`` the same for all statements that differ in values only, and ``sendable`` what
    a server can be asked to plan: PostgreSQL's values are parameters in it, MariaDB's are left out.
    """

    text: str
    identity: str
    sendable: str


def tokens(text: str, dialect: Dialect) -> list[tuple[str, str]]:
    """Kind and text of everything in a statement; joined again they are the statement."""
    found: list[tuple[str, str]] = []
    pattern, position = dialect.pattern, 0
    while position < len(text):
        if dialect.engine == POSTGRESQL and text.startswith("/*", position):
            end = _end_of_comment(text, position)
            found.append(("comment", text[position:end]))
            position = end
            continue
        match = pattern.match(text, position)
        if match is None:  # never: the last alternative takes any character
            raise ValueError("a statement could not be read.")
        # A tag is a group within a literal.
        kind = "literal" if match.lastgroup == "tag" else str(match.lastgroup)
        found.append((kind, match[0]))
        position = match.end()
    return found


def _end_of_comment(text: str, start: int) -> int:
    depth = 0
    for match in _NESTED.finditer(text, start):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(text)


def _is_whole(kind: str, text: str) -> bool:
    """Whether a quoted piece ends with its quote. One that does not was cut, or was quoted in a way that is not known here."""
    if kind not in ("literal", "name") or text[:1] == "$":
        return True
    opening = re.search("['\"`]", text)
    return opening is None or (len(text) > opening.end() and text.endswith(opening[0]))


def mask(text: str, dialect: Dialect) -> Masked:
    """A statement with ``?`` (MariaDB) or ``$1`` (PostgreSQL) in the place of every value, and without its comments.

    :param text: one statement, also an unfinished one.
    """
    parts: list[str] = []
    pieces = tokens(text, dialect)
    numbers = [int(piece[1:]) for kind, piece in pieces if kind == "parameter" and piece[1:].isdecimal()]
    number = max(numbers, default=0)
    is_sound = all(_is_whole(kind, piece) for kind, piece in pieces)
    for kind, piece in pieces:
        if not is_sound and kind in ("literal", "name"):
            # Nobody knows where values begin and end from here on.
            parts.append("...")
            break
        if kind in ("space", "comment"):
            parts.append(" ")
        elif kind in ("literal", "number"):
            number += 1
            parts.append("?" if dialect.engine == MARIADB else f"${number}")
        elif piece.isprintable():
            parts.append(piece)
    sendable = re.sub(" +", " ", "".join(parts)).strip().rstrip("; ")
    # Values of a list are one to people, and lists of any length are alike.
    shown = _ROWS.sub(r"(...), ...", _LIST.sub(r"\1, ...", sendable)) or "(no statement)"
    identity = re.sub(r"\$\d+", "?", shown).lower()
    return Masked(
        text=shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]} ...",
        identity=hashlib.sha256(identity.encode(errors="replace")).hexdigest()[:16],
        # interval '1 day' is no syntax with a parameter.
        sendable=_TYPED.sub(r"CAST(\2 AS \1)", sendable),
    )


def writes(text: str) -> bool:
    """Whether a statement that EXPLAIN takes would write; one that begins with WITH may."""
    return re.match(r"[\s(]*select\b", text, re.I) is None


def mask_quoted(text: str) -> str:
    """What a server says, without the pieces of statements that it quotes."""
    return re.sub(r"'.*'|\".*\"", "?", text.replace("\n", " "))


def unexplained(text: str, engine: str) -> str:
    """Why EXPLAIN cannot take a statement, as a sentence; empty where it can."""
    if not _VERB.match(text):
        return "EXPLAIN takes SELECT, INSERT, UPDATE and DELETE only."
    if len(text) > EXPLAINED_CHARACTERS:
        return f"The statement has more than {EXPLAINED_CHARACTERS} characters."
    if re.search(r"\binto\s+(?:out|dump)file\b", text, re.I):
        return "The statement writes a file."
    # Several statements in one message would leave the read-only transaction. MariaDB is asked in a way that takes only one.
    if engine == POSTGRESQL and ";" in text.rstrip("; \n\t"):
        return "The text holds a semicolon, so it may be more than one statement."
    return ""
