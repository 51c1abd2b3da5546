"""Reports as files."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path

from pycompare.files import check_writable_file, expanded, save_files
from pycompare.reports.report import Report

SUFFIXES = (".html", ".md", ".ipynb")


def check_report_file(file: str | PathLike[str], *, name: str = "file") -> None:
    """Refuse a file that no report can be written into, before any work.

    Raises:
        ValueError: its suffix is none of .html, .md and .ipynb, or nothing can be written there.
    """
    check_writable_file(file, name=name)
    if expanded(file).suffix not in SUFFIXES:
        raise ValueError(f"`{name}` must end in .html, .md or .ipynb; got {os.fspath(file)!r}. Rename it.")


def write_report(report: Report, file: str | PathLike[str]) -> Path:
    """Write a report as the suffix of `file` says, and return its path.

    A page in Markdown has its pictures and data in a folder beside it, `<name>_files`.

    Raises:
        ValueError: as `check_report_file`.
    """
    check_report_file(file)
    path = expanded(file)
    if path.suffix == ".html":
        from pycompare.reports.html import html_page

        page = html_page(report)
    elif path.suffix == ".ipynb":
        from pycompare.reports.notebook import notebook

        page = notebook(report)
    else:
        from pycompare.reports.markdown import markdown_page

        page, beside = markdown_page(report, f"{path.stem}_files")
        save_files(path.with_name(f"{path.stem}_files"), beside)
    (written,) = save_files(path.parent, {path.name: page.encode()})
    return written
