"""A page in the browser: move a slider, see the curves.

The page has tabs. A tab (`tab.Tab`) is data and a few functions:

- `controls`, as data: sliders with their stops, choices, lines of text. From them alone come the form, the URL, and the
  values of `settings`, a frozen dataclass, each checked at the edge.
- `compute(settings, uploads)` calls the public functions, has no numerics of its own, and returns an `Answer`: what the
  browser draws, what the table says, and the result.
- `together(answers)` tells what depends on all that is shown, pinned or not, such as the limits of an axis.
- `python`, `command` and `r` write what is on the screen as code, or raise `NoCounterpartError` with the reason.

In the browser `www/<name>.js` defines `draw.<name>(section, answer)`, where `answer.drawn` are those of the answers,
pinned ones first, `answer.labels` their labels, and `answer.together`. All else is one mechanism for all tabs:
`controls.py` has the controls, `page.py` the page, `session.py` one visitor, `app.py` the server, `www/explorer.js` the
browser's part. None of them knows a single tab: `tabs.py` lists them. Modules here import neither torch nor pandas at
their top: the page is served before those are loaded.
"""
