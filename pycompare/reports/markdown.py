"""A report as Markdown, with its pictures and data in a folder beside it.

Beside it, not within: GitHub and most editors show no picture whose address holds its data.
"""

from __future__ import annotations

import re

from pycompare.reports.report import Code, Data, Part, Picture, Report, Table, Words, cells

_MARKS = re.compile(r"([\\`*_{}\[\]<>|#~])")


def markdown_page(report: Report, folder: str) -> tuple[str, dict[str, bytes]]:
    """The page, and the files that belong into `folder`, by name."""
    files: dict[str, bytes] = {}
    blocks = [f"# {escaped(report.title)}"]
    for section in report.sections:
        blocks += [f"{'#' * section.level} {escaped(section.title)}"] if section.title else []
        blocks += [_block(part, folder, files) for part in section.parts]
    return "\n\n".join(blocks) + "\n", files


def escaped(text: str) -> str:
    """`text` with no mark of Markdown's in force."""
    return _MARKS.sub(r"\\\1", text)


def markdown_words(words: Words) -> str:
    """The paragraphs and lists."""
    return "\n\n".join(
        escaped(block) if isinstance(block, str) else "\n".join(f"- {escaped(item)}" for item in block)
        for block in words.blocks()
    )


def markdown_table(table: Table) -> str:
    """The table, under its caption."""
    names = [str(name) for name in table.frame.columns]
    rows = ["| " + " | ".join(map(_in_a_line, row)) + " |" for row in [names, *cells(table.frame)]]
    rows.insert(1, "|" + " --- |" * len(names))
    return f"{escaped(table.caption)}:\n\n" + "\n".join(rows)


def fenced(code: Code) -> str:
    """The code, as a block."""
    return f"```{code.language}\n{code.text}\n```"


def _block(part: Part, folder: str, files: dict[str, bytes]) -> str:
    match part:
        case Words():
            return markdown_words(part)
        case Table():
            return markdown_table(part)
        case Code():
            return fenced(part)
        case Picture():
            caption = f"{escaped(part.caption)}\n\n" if part.caption else ""
            return f"{caption}![{escaped(part.alt)}]({_kept(files, folder, f'picture.{part.kind}', part.content)})"
        case Data():
            return f"[{escaped(part.name)}]({_kept(files, folder, part.name, part.content)}), with every bit."


def _kept(files: dict[str, bytes], folder: str, name: str, content: bytes) -> str:
    """The address of a file in the folder, under a name of its own."""
    name = f"{len(files) + 1}-{name}"
    files[name] = content
    return f"<{folder}/{name}>"


def _in_a_line(cell: str) -> str:
    return escaped(cell).replace("\n", " ")
