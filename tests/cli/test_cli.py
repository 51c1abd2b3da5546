from __future__ import annotations

import inspect
import io
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
from typer.testing import CliRunner

from pycompare import (
    Snapshots,
    Split,
    activation_statistics,
    classification_data,
    compare_configs,
    compare_dropout,
    compare_inits,
    decision_boundary,
    momentum_test,
    optimize_rosenbrock,
    spirals_data,
    weight_decay_restarts,
    weight_decay_search,
)
from pycompare.cli import app
from pycompare.cli.course import compare
from pycompare.cli.labs import descend
from pycompare.labs.gradient_runs import compare_gradients
from pycompare.labs.landscape import compare_descents, compare_paths
from pycompare.results import FORMATS
from pycompare.training.losses import LOSSES
from pycompare.training.optim import OPTIMIZERS
from pycompare.training.options import ENGINES

RUN = CliRunner()
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _nothing_leaks() -> None:
    """Not asked of a command, which has a process of its own: rich draws from `random` to print an error."""


@pytest.mark.parametrize("options", [["--lr", "1", "--lr", "0.1"], ["--lr", "1,0.1"]])
def test_compare_writes_what_compare_configs_returns(options: list[str], tmp_path: Path) -> None:
    result = RUN.invoke(app, ["compare", *options, "--epochs", "2", "--weight-decay", "0.02", "--out", str(tmp_path)])
    expected = compare_configs(2, lr=[1, 0.1], weight_decay=0.02)
    assert result.exit_code == 0, result.output
    assert repr(expected) in result.output
    assert f"Saved {tmp_path / 'comparison.csv'}, {tmp_path / 'comparison.png'}" in result.output
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "comparison.csv"), expected.data, check_exact=True)
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")


def test_compare_on_the_spirals_and_on_a_file(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    pd.DataFrame({"a": range(40), "b": 1.5, "y": range(40)}).to_csv(file, index=False)
    for name, data in (("spirals", spirals_data()), (str(file), Split.from_csv(file))):
        result = RUN.invoke(app, ["compare", "--batch-size", "8,16", "--epochs", "1", "--data", name])
        assert repr(compare_configs(1, batch_size=[8, 16], data=data)) in result.output
        assert "Nothing was saved; --out FOLDER keeps" in result.output


def test_every_option_reaches_compare_configs() -> None:
    options = (
        "--beta1 0.5,0.6 --seed 9 --optimizer adam --loss l1 --dtype float64 --device cpu --epochs 1 --no-progress"
        " --threads 2 --engine autograd --n-jobs 1"
    )
    expected = compare_configs(1, beta1=[0.5, 0.6], seed=9, optimizer="adam", loss="l1", dtype="float64", threads=2)
    assert repr(expected) in RUN.invoke(app, ["compare", *options.split()]).output


def test_rosenbrock(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["rosenbrock", "--steps", "20", "--lr", "0.05", "--beta", "0.5", "--out", str(tmp_path)])
    expected = optimize_rosenbrock(20, 0.05, 0.5)
    assert repr(expected) in result.output
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "trajectory.csv"), expected.data, check_exact=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare"], "One or two of --lr, --batch-size, .* must have several values; got none"),
        (["compare", "--hidden", "20"], "got none. Give one or two of them several, such as --lr 0.1,0.2"),
        (["compare", "--lr", "0.1", "--hidden", "0"], "--hidden must be at least 1; got 0"),
        (["compare", "--lr", "0.1", "--activation", "reul"], "Did you mean 'relu'"),
        (
            ["compare", "--lr", "0.1,0.2", "--beta1", "0.5,0.6", "--loss", "mse,l1"],
            "several values; got --lr and --beta1 and --loss",
        ),
        (["compare", "--lr", "0.1,x"], "--lr must be a number, or several separated by commas; got '0.1,x'"),
        (["compare", "--lr", "0.1,"], "--lr must be a number, or several separated by commas"),
        (["compare", "--lr", "0.1,-1"], "--lr must be at least 0; got -1.0"),
        (["compare", "--lr", "0.1,nan"], "--lr must be finite"),
        (["compare", "--batch-size", "0,16"], "--batch-size must be at least 1"),
        (["compare", "--batch-size", "2.5,16"], "--batch-size must be a whole number"),
        (["compare", "--lr", "0.1,0.2", "--epochs", "0"], "--epochs must be at least 1"),
        (["compare", "--lr", "0.1,0.2", "--epochs", "ten"], "Invalid value for '--epochs'"),
        (
            ["compare", "--lr", "0.1,0.2", "--data", "friedman4"],
            "--data must be cassini, .* or a CSV file; got 'friedman4'",
        ),
        (
            ["compare", "--lr", "0.1,0.2", "--optimizer", "lion"],
            "--optimizer must be one of adamw.*; got 'lion'. Choose one of these.\\n$",
        ),
        (
            ["compare", "--lr", "0.1,0.2", "--loss", "x"],
            "--loss must be one of mse.*; got 'x'. Choose one of these.\\n$",
        ),
        (
            ["compare", "--lr", "0.1,0.2", "--optimizer", "sgd", "--beta1", "0.5"],
            "--beta1 must keep its default with optimizer 'sgd', .* Choose another optimizer.\\n$",
        ),
        (["compare", "--lr", "0.1,0.2", "--out", "/dev/null/out"], "--out must be a folder that can be written"),
        (["compare", "--lr", "0.1,0.2", "--target", "y"], "--target must be left out with friedman3"),
        (["compare", "--lr", "0.1,0.2", "--engine", "jax"], "--engine must be one of auto, autograd, fused"),
        (["compare", "--lr", "0.1,0.2", "--threads", "0"], "--threads must be at least 1"),
        (["compare", "--lr", "0.1,0.2", "--n-jobs", "0"], "--n-jobs must be 1 or more"),
        (["compare", "--lr", "0.1,0.2", "--data", str(HERE)], "--data must name a CSV file; .* is a folder"),
        (["parity", "--html", str(HERE)], "--html must be a file; got .* which is a folder. Name a file in it"),
        (["parity", "--html", "/dev/null/a.html"], "--html must be in a folder that can be written"),
        (["parity", "--lane", "x"], "--lane must be one of recorded"),
        (["compare", "--lr", "0.1,0.2", "--data", "x" * 5000], "File name too long"),
        (["rosenbrock", "--beta", "1"], "--beta must be less than 1"),
        (["rosenbrock", "--formats", "png,bmp"], "--formats must be one of png, pdf, svg; got 'bmp'"),
        (["rosenbrok"], "No such command 'rosenbrok'"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 2
    assert pd.Series([result.output]).str.contains(message).all(), result.output
    assert "Traceback" not in result.output


def test_pictures_in_other_formats(tmp_path: Path) -> None:
    RUN.invoke(app, ["rosenbrock", "--steps", "2", "--out", str(tmp_path), "--formats", "svg,pdf"])
    assert {path.suffix for path in tmp_path.iterdir() if path.stem == "trajectory"} == {".csv", ".svg", ".pdf"}


def test_a_bad_argument_leaves_no_folder_behind(tmp_path: Path) -> None:
    assert RUN.invoke(app, ["compare", "--out", str(tmp_path / "new")]).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pycompare.sweeps.configs.compare_configs", lambda *_, **__: pytest.fail("trained first"))
    assert RUN.invoke(app, ["compare", "--lr", "0.1,0.2", "--out", "/dev/null/out"]).exit_code == 2


@pytest.mark.parametrize(
    ("command", "option", "names"),
    [
        (compare, "loss", [*LOSSES]),
        (compare, "optimizer", [*OPTIMIZERS]),
        (compare, "engine", ENGINES),
        (compare, "formats", FORMATS),
        (compare, "dtype", ["float32", "float64"]),
        (descend, "optimizer", [*OPTIMIZERS]),
    ],
)
def test_help_knows_every_name_that_the_library_does(command: Any, option: str, names: list[str]) -> None:
    (option_info,) = get_args(inspect.signature(command, eval_str=True).parameters[option].annotation)[1:]
    assert {name for name in names if name not in option_info.help} == set()


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def test_version_and_module() -> None:
    printed = subprocess.run(_python("-m", "pycompare", "--version"), capture_output=True, text=True, check=True).stdout
    assert printed == "pycompare 0.1.0\n"


@pytest.mark.parametrize(
    "code",
    [
        "import pycompare; dir(pycompare)",
        "import pycompare.parity",
        "from pycompare.cli import app; app(['--help'], standalone_mode=False)",
        "from pycompare.cli import app; app(['compare', '--help'], standalone_mode=False)",
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_used(code: str) -> None:
    check = f"{code}\nimport sys; print([m for m in ('torch', 'pandas', 'plotnine', 'numpy') if m in sys.modules])"
    printed = subprocess.run(_python("-c", check), capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "[]"


class _Interrupted(KeyboardInterrupt):
    partial = pd.DataFrame(
        {"config": ["lr = 1", "lr = 1", "lr = 2"], "epoch": [1, 2, 1], "valid_loss": [0.1, 1 / 3, 3]}
    )


@pytest.mark.parametrize(("error", "code"), [(_Interrupted(), 130), (KeyboardInterrupt(), 130), (ValueError("x"), 2)])
def test_what_was_done_before_an_error_is_saved(
    error: BaseException, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("pycompare.sweeps.configs.compare_configs", interrupted)
    result = RUN.invoke(app, ["compare", "--lr", "1,2", "--out", str(tmp_path)])
    assert result.exit_code == code
    file = tmp_path / "comparison.partial.csv"
    if hasattr(error, "partial"):
        assert result.output == f"\nInterrupted. 3 epochs were done, of 2 runs. Saved {file}\n"
        pd.testing.assert_frame_equal(pd.read_csv(file), _Interrupted.partial, check_exact=True)
    else:
        assert list(tmp_path.iterdir()) == []


def test_what_is_lost_for_want_of_a_folder_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise _Interrupted

    monkeypatch.setattr("pycompare.sweeps.configs.compare_configs", interrupted)
    assert "of 2 runs; --out FOLDER would have kept them." in RUN.invoke(app, ["compare", "--lr", "1,2"]).output


OWN = pd.DataFrame({"y": range(40), "a": 1.5, "b": range(40)}).to_csv(index=False)


def test_data_from_standard_input_and_a_target_by_name() -> None:
    expected = compare_configs(1, lr=[0.1, 0.2], data=Split.from_csv(io.StringIO(OWN), target="y"))
    command = ["compare", "--lr", "0.1,0.2", "--epochs", "1", "--target", "y", "--data", "-"]
    assert repr(expected) in RUN.invoke(app, command, input=OWN).output


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--data must be a CSV file with a header; 'standard input' is empty"),
        ("a,y\n1,2\n1,x\n", "--data must hold numbers; 'standard input' has text in column 'y', row 2"),
    ],
)
def test_what_is_wrong_with_standard_input_is_one_line(text: str, message: str) -> None:
    result = RUN.invoke(app, ["compare", "--lr", "0.1,0.2", "--data", "-"], input=text)
    assert (result.exit_code, result.output.partition(message)[:2]) == (2, ("Error: ", message))


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.csv").write_text(OWN)
    paths = ["--data", "~/own.csv", "--out", "~/out"]
    result = RUN.invoke(app, ["compare", "--lr", "0.1,0.2", "--epochs", "1", *paths])
    assert f"Saved {tmp_path}/out/comparison.csv" in result.output
    film = RUN.invoke(app, ["lab", "landscape", "descend", "--epochs", "2", "--film", "~/a.gif"])
    assert f"Saved {tmp_path}/a.gif" in film.output
    assert {path.name for path in tmp_path.iterdir()} == {"own.csv", "out", "a.gif"}


def test_a_rate_beyond_float32_has_diverged_and_the_others_count() -> None:
    result = RUN.invoke(app, ["compare", "--lr", "0.1,1e39", "--epochs", "2"])
    assert result.exit_code == 0
    assert pd.Series([result.output]).str.contains(r"lr = 1e\+39 +NaN +NaN +<NA> +1\n").all(), result.output


def test_landscape_descend(tmp_path: Path) -> None:
    options = "--loss mse,l1 --momentum 0.5,0.9 --nesterov --start 5,-2 --epochs 3 --weight-decay 0.1"
    film = tmp_path / "a.gif"
    command = ["lab", "landscape", "descend", *options.split(), "--out", str(tmp_path), "--film", str(film)]
    result = RUN.invoke(app, command)
    settings: dict[str, Any] = {"momentum": [0.5, 0.9], "nesterov": True, "weight_decay": 0.1}
    expected = compare_descents(["mse", "l1"], start=(5, -2), epochs=3, **settings)
    assert repr(expected) in result.output
    assert f"descents.png, {tmp_path / 'settings.json'}, {film}\n" in result.output
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "descents.csv"), expected.data, check_exact=True)
    assert film.read_bytes().startswith(b"GIF89a")


def test_landscape_paths(tmp_path: Path) -> None:
    options = "--batch-size 16,64 --epochs 2 --seed 9 --optimizer sgd --lr 1e-6 --weight-decay 0.01 --points 5"
    result = RUN.invoke(app, ["lab", "landscape", "paths", *options.split(), "--out", str(tmp_path)])
    arguments: dict[str, Any] = {"epochs": 2, "seed": 9, "optimizer": "sgd", "lr": 1e-6}
    expected = compare_paths(batch_size=[16, 64], n=5, **arguments)
    assert repr(expected) in result.output
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "paths.csv"), expected.data, check_exact=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("descend --loss mse,foo", "--loss must be one of"),
        ("descend --start 3", "--start must be a pair"),
        ("descend --momentum x", "--momentum must be a number"),
        ("descend --film a.avi", "--film must end in .gif or .mp4"),
        ("descend --film /dev/null/a.gif", "--film must be in a folder that can be written"),
        ("paths --lr 0.1,0.2 --points 1", "--points must be at least 2"),
        ("paths --lr 0.1", "Exactly one of"),
        ("paths --lr 0.1,0.2 --directions up --epochs 1", "--directions must be"),
    ],
)
def test_landscape_refuses_in_one_line(options: str, message: str) -> None:
    result = RUN.invoke(app, ["lab", "landscape", *options.split()])
    assert result.exit_code == 2
    assert f"Error: {message}" in result.output


def test_lab_init(tmp_path: Path) -> None:
    options = (
        "--sigma 0.01,0.5 --init trunc_normal --scale 2 --data cassini --seed 5 --seeds 2 --steps 4 --every 2 --lr .2"
    )
    result = RUN.invoke(app, ["lab", "init", *options.split(), "--optimizer", "adam", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    how: dict[str, Any] = {"seed": 5, "seeds": 2, "steps": 4, "every": 2, "lr": 0.2, "optimizer": "adam"}
    data = classification_data("cassini", 100)
    expected = compare_inits(sigma=[0.01, 0.5], init="trunc_normal", scale=2, data=data, **how)
    assert repr(expected) in result.output
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "init_comparison.csv"), expected.data, check_exact=True)


def test_lab_init_reads_classes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("a,b,kind\n" + "".join(f"{i},{i * i},{'ox' if i % 3 else 'cow'}\n" for i in range(40)))
    result = RUN.invoke(app, ["lab", "init", "--init", "orthogonal,normal", "--steps", "2", "--data", str(file)])
    assert result.exit_code == 0, result.output
    assert "init = orthogonal" in result.output


def test_lab_activations(tmp_path: Path) -> None:
    options = "--init kaiming_normal --width 5,20 --depth 3 --activation tanh --seed 4"
    result = RUN.invoke(app, ["lab", "activations", *options.split(), "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    expected = activation_statistics(init="kaiming_normal", width=[5, 20], depth=3, activation="tanh", seed=4)
    assert repr(expected) in result.output
    saved = pd.read_csv(tmp_path / "activation_statistics.csv")
    pd.testing.assert_frame_equal(saved, expected.data, check_exact=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("init", "Exactly one of --sigma, --init, --scale must be a list; got none"),
        ("init --sigma 1,-1", "--sigma must be at least 0; got -1"),
        ("init --sigma a,1", "--sigma must be a number"),
        ("init --init normal,he", "--init must be one of"),
        ("init --sigma 1,2 --every 3", "--every must divide"),
        ("init --sigma 1,2 --seeds 0", "--seeds must be at least 1"),
        ("init --sigma 1,2 --data nowhere", "--data must be"),
        ("init --sigma 1,2 --target y", "--target must be left out with circle"),
        ("activations --depth 0", "--depth must be at least 1"),
        ("activations --depth 1,2", "At most one argument may be a list"),
        ("activations --activation square", "--activation must be one of"),
    ],
)
def test_labs_on_starts_refuse_in_one_line(options: str, message: str) -> None:
    result = RUN.invoke(app, ["lab", *options.split()])
    assert result.exit_code == 2
    assert f"Error: {message}" in result.output


def test_lab_gradients(tmp_path: Path) -> None:
    options = (
        "--init xavier_uniform,normal --optimizer adam --sigma 2 --lr 0.1 --epochs 20 --every 5 --seed 9 --seeds 2"
    )
    film = tmp_path / "a.gif"
    result = RUN.invoke(app, ["lab", "gradients", *options.split(), "--out", str(tmp_path), "--film", str(film)])
    expected = compare_gradients(
        ["xavier_uniform", "normal"], "adam", sigma=2, lr=0.1, epochs=20, every=5, seed=9, seeds=2, progress=False
    )
    assert repr(expected) in result.output
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "gradient_comparison.csv"), expected.data, check_exact=True)
    assert film.read_bytes().startswith(b"GIF89a")


def test_dropout(tmp_path: Path) -> None:
    options = (
        "--p 0.1,0.5 --input-p 0.3 --data circles --hidden 9,4 --sigma 0.2 --epochs 2 --batch-size 30 --lr 0.01"
        " --weight-decay 0.02 --seed 5 --seeds 2 --n-jobs 1"
    )
    result = RUN.invoke(app, ["lab", "dropout", *options.split(), "--out", str(tmp_path)])
    settings: dict[str, Any] = {"hidden": (9, 4), "sigma": 0.2, "epochs": 2, "batch_size": 30, "lr": 0.01}
    settings |= {"weight_decay": 0.02, "seed": 5, "seeds": 2}
    expected = compare_dropout([0.1, 0.5], 0.3, data=classification_data("circles", 300), **settings)
    assert repr(expected) in result.output
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "dropout_comparison.csv"), expected.data, check_exact=True)


@pytest.mark.parametrize("rates", ["0.1", "0.1,0.01"])
def test_boundary(rates: str, tmp_path: Path) -> None:
    film = tmp_path / "a.gif"
    options = f"--data spirals --lr {rates} --epochs 2 --batch-size 64 --optimizer adam --seed 9 --grid 5 --film {film}"
    result = RUN.invoke(app, ["lab", "boundary", *options.split(), "--out", str(tmp_path)])
    kept, lr = Snapshots(), [float(rate) for rate in rates.split(",")]
    settings: dict[str, Any] = {"batch_size": 64, "optimizer": "adam", "seed": 9, "data": spirals_data()}
    compare_configs(2, lr=lr, loss="cross_entropy", on_epoch=kept.on_epoch, **settings)
    expected = decision_boundary(kept, spirals_data(), loss="cross_entropy", grid=5).data
    written = pd.read_csv(tmp_path / "boundary.csv")
    pd.testing.assert_frame_equal(written, expected[written.columns], check_exact=True, check_dtype=False)
    assert ("config" in written) == (len(lr) > 1)
    assert f"{film}\n" in result.output
    assert film.read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--optimizer adam", "--init or --optimizer must be a list, or both"),
        ("--init he,normal", "--init must be one of xavier_uniform"),
        ("--optimizer sgd,sdg", "--optimizer must be one of"),
        ("--every 0", "--every must be at least 1"),
        ("--film a.avi", "--film must end in .gif or .mp4"),
    ],
)
def test_lab_gradients_refuses_in_one_line(options: str, message: str) -> None:
    result = RUN.invoke(app, ["lab", "gradients", *options.split()])
    assert result.exit_code == 2
    assert f"Error: {message}" in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("dropout --p 0.5", "Exactly one of --p, --input-p must be a list; got none"),
        ("dropout --p 0,1.5", "--p must be less than 1; got 1.5"),
        ("dropout --hidden 8,x", "--hidden must be a number, or several"),
        ("dropout --hidden 8,0", "--hidden must be at least 1; got 0"),
        ("dropout --data friedman3", "--data must have classes 0, 1, ..., fewer than rows"),
        ("boundary --data cuboids", "--data must have two inputs a row"),
        ("boundary --data friedman3", "--data must have two inputs a row"),
        ("boundary --lr x", "--lr must be a number"),
        ("boundary --film a.avi", "--film must end in .gif or .mp4"),
        ("boundary --grid 1 --epochs 1", "--grid must be at least 2"),
    ],
)
def test_dropout_and_boundary_refuse_in_one_line(options: str, message: str) -> None:
    result = RUN.invoke(app, ["lab", *options.split()])
    assert result.exit_code == 2
    assert f"Error: {message}" in result.output


def test_momentum(tmp_path: Path) -> None:
    options = "--momentum 0.9,0.5 --low 0.4 --lr 0.01 --epochs 2 --data spirals --optimizer adam --loss bce --seed 5"
    result = RUN.invoke(app, ["lab", "momentum", *options.split(), "--seeds", "2", "--out", str(tmp_path)])
    how: dict[str, Any] = {"low": 0.4, "lr": 0.01, "epochs": 2, "optimizer": "adam", "loss": "bce", "seed": 5}
    expected = momentum_test([0.9, 0.5], data=spirals_data().standardized(), seeds=2, **how)
    assert repr(expected) in result.output
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "momentum_test.csv"), expected.data, check_exact=True)


@pytest.mark.parametrize(("restart", "search"), [([], weight_decay_search), (["--restart"], weight_decay_restarts)])
def test_weight_decay(restart: list[str], search: Any, tmp_path: Path) -> None:
    options = "--weight-decay 0.1,0 --schedule 1cycle --lr 0.3 --epochs 2 --data circles --seed 5 --seeds 2"
    result = RUN.invoke(
        app, ["lab", "weight-decay", *options.split(), "--loss", "cross_entropy", *restart, "--out", str(tmp_path)]
    )
    how: dict[str, Any] = {"schedule": "1cycle", "lr": 0.3, "epochs": 2, "loss": "cross_entropy", "seed": 5, "seeds": 2}
    expected = search([0.1, 0], data=classification_data("circles", 300).standardized(), **how)
    assert expected.summary().to_string(index=False) in result.output
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "weight_decay_search.csv"), expected.data, check_exact=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("momentum --momentum 0.9,1", "--momentum must be less than 1; got 1"),
        ("momentum --low 0.95", "--low must be at most the least momentum, 0.9"),
        ("momentum --optimizer sdg", "--optimizer must be one of"),
        ("weight-decay --weight-decay 0.1,-1", "--weight-decay must be at least 0; got -1"),
        ("weight-decay --schedule cycle", "--schedule must be one of constant, 1cycle; got 'cycle'"),
        ("weight-decay --restart --epochs 0", "--epochs must be at least 1"),
    ],
)
def test_momentum_and_weight_decay_refuse_in_one_line(options: str, message: str) -> None:
    result = RUN.invoke(app, ["lab", *options.split()])
    assert result.exit_code == 2
    assert f"Error: {message}" in result.output
