"""A model file: a YAML header in the block comment that opens it, then one SELECT."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from mainstem.errors import ConfigErrors, UsageError, Where
from mainstem.project.header import Header
from mainstem.project.yamlfile import Document, build, parse

_HEADER = re.compile(r"\A\s*/\*[ \t]*mainstem[ \t]*\r?\n(?P<yaml>.*?)\*/", re.DOTALL)
_OPENED = re.compile(r"\A\s*/\*[ \t]*mainstem[ \t]*\r?\n")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One table of the mart. `file` is relative to the project; `sql_line` is the line of the file on
    which `sql` begins; `document` has the lines of the header's keys; `digest` covers the whole text."""

    name: str
    file: str
    sql: str
    sql_line: int
    header: Header
    document: Document
    digest: str

    def where(self, *path: str | int) -> Where:
        """The place of a key of the header: `where("measures", "amount", "equals")`."""
        return Where(self.file, self.document.line(path))


def read_model(path: Path, root: Path) -> ModelFile:
    """Read one file. Raises ConfigErrors or UsageError with file and line."""
    file = path.relative_to(root).as_posix()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError("the file is not UTF-8 text", where=Where(file)) from None
    except OSError as error:
        raise UsageError(f"the file cannot be read: {error.strerror}", where=Where(file)) from None
    if not _NAME.match(path.stem):
        raise UsageError(
            f"{path.stem!r} cannot name a table", where=Where(file), hint="use letters, digits and _"
        )
    return parse_model(text, path.stem, file)


def parse_model(text: str, name: str, file: str) -> ModelFile:
    """A model from its text. Raises ConfigErrors or UsageError with file and line."""
    match = _HEADER.match(text)
    header, document, sql, sql_line = Header(), Document(file, None, {}), text, 1
    if match:
        header_line = text.count("\n", 0, match.start("yaml")) + 1
        document = parse(match["yaml"], file, header_line)
        header = build(Header, document)
        sql = text[match.end() :]
        sql_line = text.count("\n", 0, match.end()) + 1
    elif _OPENED.match(text):
        raise UsageError("the header has no end", where=Where(file, 1), hint="end it with a line */")
    elif re.match(r"\s*---[ \t]*\r?\n", text):
        raise UsageError(
            "the header stands in a comment",
            where=Where(file, 1),
            hint="open the file with /* mainstem and end the header with */",
        )
    sql = sql.rstrip().rstrip(";").rstrip()
    if not sql.strip():
        raise UsageError("there is no SELECT below the header", where=Where(file, sql_line))
    stripped = sql.lstrip("\n\r\t ")
    sql_line += sql[: len(sql) - len(stripped)].count("\n")
    digest = hashlib.sha256(text.encode()).hexdigest()
    return ModelFile(name, file, stripped, sql_line, header, document, digest)


def read_models(root: Path, errors: list[UsageError]) -> tuple[list[ModelFile], set[str]]:
    """All models of a project that can be read, by name, and the names of those that cannot; every error
    of every file is added to `errors`."""
    models: dict[str, ModelFile] = {}
    broken: set[str] = set()
    for path in sorted((root / "models").rglob("*.sql")):
        try:
            model = read_model(path, root)
        except UsageError as error:
            errors.extend(error.errors if isinstance(error, ConfigErrors) else [error])
            broken.add(path.stem)
            continue
        twin = models.setdefault(model.name.casefold(), model)
        if twin is not model:
            message = f"the model {model.name} is defined in {twin.file} as well"
            errors.append(UsageError(message, where=Where(model.file, 1)))
    return list(models.values()), broken - set(models)
