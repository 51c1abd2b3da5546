from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pycompare import files
from pycompare.plots import plot_comparison

DATA = pd.DataFrame({"config": "a", "epoch": [1, 2], "valid_loss": [0.1, 1 / 3]})


def _save(folder: Path) -> list[Path]:
    return files.save_files(folder, "result", DATA, plot_comparison(DATA))


@pytest.mark.parametrize("place", ["file.txt", "file.txt/below"])
def test_a_folder_that_cannot_be_written_is_one_clear_error(place: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("")
    with pytest.raises(ValueError, match=r"`folder` must be a folder that can be written; got .*Name another"):
        files.writable_folder(tmp_path / place)


def test_asking_whether_a_folder_can_be_written_leaves_nothing_in_it(tmp_path: Path) -> None:
    assert list(files.writable_folder(tmp_path / "new").iterdir()) == []


def test_an_interrupt_while_writing_keeps_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    csv, _ = _save(tmp_path)
    before = csv.read_bytes()

    def interrupted(self: Path, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[:5])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        _save(tmp_path)
    assert csv.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2
