"""Results as one HTML file."""

from __future__ import annotations

import base64

import pandas as pd
from plotnine import aes, geom_point, ggplot

from pycompare.reports.report import html_report

TABLE = pd.DataFrame({"function": ["a <b> & c", "d"], "runs": [1, 26]})
PLOT = ggplot(pd.DataFrame({"x": [1, 2]}), aes("x", "x")) + geom_point()


def test_the_table_stands_row_by_row_and_is_escaped() -> None:
    page = html_report("R & we", "Why <so>.", TABLE, [])
    assert "<h1>R &amp; we</h1>\n<p>Why &lt;so&gt;.</p>" in page
    assert '<th scope="col">function</th><th scope="col">runs</th>' in page
    assert "<tr><td>a &lt;b&gt; &amp; c</td><td>1</td></tr>\n<tr><td>d</td><td>26</td></tr>" in page
    assert "<figure>" not in page


def test_each_plot_is_a_picture_within_the_page() -> None:
    page = html_report("Title", "Text.", TABLE, [("one", PLOT), ("two", PLOT)])
    pictures = page.split('<img src="data:image/png;base64,')[1:]
    assert [picture.split('alt="')[1].split('"')[0] for picture in pictures] == ["one", "two"]
    assert all(base64.b64decode(picture.split('"')[0]).startswith(b"\x89PNG") for picture in pictures)
