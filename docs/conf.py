"""The site: `make docs` builds it from the pages beside this file and from the docstrings."""

import re
from importlib import metadata

project = "pycompare"
author = copyright = "The pycompare developers"
release = metadata.version("pycompare-rtorch")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton", "sphinx_design"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

# `name` in a docstring is a link where it is one of ours, else plain code, as R's names are. Our types have a page.
default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [("py:obj", ".*"), ("py:class", r"(?!pycompare\.).*")]
autodoc_typehints = "none"  # the words say it; with types a signature takes a screen
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = "pycompare"
html_copy_source = False
html_static_path = ["_static"]
html_theme_options = {"navbar_persistent": ["search-button"]}  # the default's name is not its text
html_css_files = ["site.css"]
html_context = {"default_mode": "auto"}  # light or dark; the theme complains of none
html_sidebars = {"tutorial": []}  # it has no section to navigate
smartquotes = False  # they would be within code, too

ENTRY = re.compile(r" {4}(?P<term>\S[^:]*): (?P<text>.*)")


def sections(_app, _what, _name, _object, _options, lines):
    """Make a field of each section, of `name: text` in it a definition, and show formulas as they are."""
    section = ""
    for line in lines[:]:
        del lines[0]
        if header := re.fullmatch(r"(Arguments|Attributes|Returns|Raises|Example):", line):
            section = header[1]
            lines += ["", f":{section}:"]
        elif section in ("Arguments", "Attributes", "Raises") and (entry := ENTRY.fullmatch(line)):
            lines += [f"    {entry['term']}", f"        {entry['text']}"]
        elif section == "Returns" and line:
            lines.append(f"    {line.lstrip()}")  # a hanging indent is no list
        elif not section and line.startswith("    ") and not lines[-1]:
            lines += ["::", "", line]
        else:
            lines.append(line)


def setup(app):
    """What Sphinx calls."""
    app.connect("autodoc-process-docstring", sections)
