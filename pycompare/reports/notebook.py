"""A report as a Jupyter notebook, whose cells of code make the results again; their outputs are in it already."""

from __future__ import annotations

import base64
import json
from typing import Any

from pycompare.reports.markdown import escaped, fenced, markdown_table, markdown_words
from pycompare.reports.report import Code, Data, Part, Picture, Report, Table, Words

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook(report: Report) -> str:
    """The notebook as JSON of layout 4.5.

    A picture that code draws again is the output of a cell with that code, which does not stand elsewhere, then.
    """
    parts = [part for section in report.sections for part in section.parts]
    drawing = [part.code for part in parts if isinstance(part, Picture)]
    cells = [_text(f"# {escaped(report.title)}")]
    for section in report.sections:
        cells += [_text(f"{'#' * section.level} {escaped(section.title)}")] if section.title else []
        cells += [_cell(part) for part in section.parts if part not in drawing]
    numbered = [cell | {"id": f"cell-{i}"} for i, cell in enumerate(cells)]
    metadata = {"kernelspec": _KERNEL, "language_info": {"name": "python"}}
    made = {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(made, indent=1, ensure_ascii=False)


def _cell(part: Part) -> dict[str, Any]:
    match part:
        case Words():
            return _text(markdown_words(part))
        case Table():
            return _text(markdown_table(part))
        case Code():
            return _text(fenced(part))
        case Picture():
            return _drawing(part.code.text, part) if part.code else _shown(part)
        case Data():
            link = _text(f"[{escaped(part.name)}](attachment:{part.name}), with every bit.")
            return link | {"attachments": {part.name: {"text/csv": _coded(part.content)}}}


def _drawing(source: str, picture: Picture) -> dict[str, Any]:
    """A cell of code with the picture for output."""
    shown = picture.content.decode() if picture.kind == "svg" else _coded(picture.content)
    data = {picture.type: shown, "text/plain": picture.alt}
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    return {"cell_type": "code", "execution_count": None, "metadata": {}, "source": source, "outputs": [output]}


def _shown(picture: Picture) -> dict[str, Any]:
    """A cell of text with the picture in it."""
    name = f"picture.{picture.kind}"
    caption = f"{escaped(picture.caption)}\n\n" if picture.caption else ""
    cell = _text(f"{caption}![{escaped(picture.alt)}](attachment:{name})")
    return cell | {"attachments": {name: {picture.type: _coded(picture.content)}}}


def _text(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _coded(content: bytes) -> str:
    return base64.b64encode(content).decode()
