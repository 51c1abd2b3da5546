from __future__ import annotations

from collections.abc import Mapping

import pytest

from pycompare.explorer.controls import Slider
from pycompare.explorer.tab import all_controls, settings_of
from pycompare.explorer.tabs import TABS

CONTROLS = [pytest.param(tab, one, id=f"{tab.name}-{one.name}") for tab in TABS for one in all_controls(tab)]


@pytest.mark.parametrize(("tab", "control"), CONTROLS)
def test_a_default_and_every_stop_are_values(tab, control) -> None:
    texts = control.stops if isinstance(control, Slider) else (control.default,)
    assert control.default in texts
    values = [control.value(text) for text in texts]
    assert len({*values}) == len(texts)
    assert not isinstance(control, Slider) or values == sorted(values)


@pytest.mark.parametrize(("tab", "control"), CONTROLS)
def test_what_is_drawn_has_a_label(tab, control) -> None:
    drawn = str(control.draw(tab.name))
    assert f'<label for="{tab.name}-{control.name}">' in drawn
    assert f'id="{tab.name}-{control.name}"' in drawn


SWEEP = TABS[0]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"lr": "x"}, r"`lr` must be a number; got 'x'. Write e.g. 0.01"),
        ({"lr": "-1"}, "`lr` must be at least 0; got -1.0"),
        ({"lr": "nan"}, "`lr` must be finite"),
        ({"beta1": "1"}, "`beta1` must be less than 1"),
        ({"batch_size": "2.5"}, "`batch_size` must be a whole number"),
        ({"epochs": "1e9"}, "`epochs` must be at most 2000"),
        ({"hidden": "50,,50"}, "`hidden` must be a number; got ''"),
        ({"hidden": "100000"}, "`hidden` must be at most 1000"),
        ({"hidden": ",".join("1" * 11)}, "`hidden` must have 10 numbers at most; got 11"),
        ({"activation": "reul"}, "`activation` must be one of .* Did you mean 'relu'"),
        ({"data": "iris"}, "`data` must be one of friedman3"),
        ({"momentum": "1"}, "`momentum` must be one of lr, batch_size"),
    ],
)
def test_settings_are_checked(texts: Mapping[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings_of(SWEEP, texts)
