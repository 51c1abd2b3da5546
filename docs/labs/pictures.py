"""Draws the pictures of the pages beside this file, and those of docs/tune.md and docs/tutorial.md.

Each is what the last line of the Python block above it shows.
"""

from __future__ import annotations

import ast
import io
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from plotnine import ggplot

_BLOCK_OR_PICTURE = re.compile(r"```python\n(?P<code>.*?)```|!\[[^\]]*\]\((?P<picture>[^)]+\.png)\)", re.DOTALL)


def draw_pictures(page: Path) -> None:
    """Run the page's blocks in one namespace, in a folder of its own, and write its pictures."""
    namespace: dict[str, Any] = {"__name__": page.stem}
    shown = None
    for match in _BLOCK_OR_PICTURE.finditer(page.read_text(encoding="utf-8")):
        if match["picture"]:
            _save(shown, page.parent / match["picture"])
        else:
            shown = _run(match["code"], namespace)


def _save(plot: ggplot, path: Path) -> None:
    """Write `plot` at 100 dots an inch, in 256 colours, which makes a quarter of the file."""
    buffer = io.BytesIO()
    plot.save(buffer, format="png", dpi=100, verbose=False)
    colours = Image.Quantize.MAXCOVERAGE  # by the median cut, orange lines turn brown
    Image.open(buffer).convert("RGB").quantize(256, colours, kmeans=4).save(path, optimize=True)


def _run(code: str, namespace: dict[str, Any]) -> Any:
    """The value of the last line, None unless it is an expression."""
    body = ast.parse(code).body
    last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "<block>", "exec", dont_inherit=True), namespace)  # not this file's annotations
    return eval(compile(last, "<block>", "eval"), namespace) if last else None


if __name__ == "__main__":
    here = Path(__file__).resolve().parent
    pages = [*sorted(here.glob("*.md")), here.parent / "tune.md", here.parent / "tutorial.md"]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for page in pages:
            draw_pictures(page)
