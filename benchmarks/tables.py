"""The figures of a run as tables in Markdown, by name; those of docs/performance.md stand between markers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pandas as pd
from contenders import COMPILED, FUSED, IDIOMATIC, TWO_JOBS

COMPILERS = (COMPILED, "PyTorch, torch.compile", "JAX")
Rows = list[dict[str, Any]]


def tables(result: dict[str, Any]) -> dict[str, str]:
    """Those whose part of `result` has been measured."""
    return {name: make(result) for name, (parts, make) in TABLES.items() if parts <= result.keys()}


def with_tables(page: str, result: dict[str, Any]) -> str:
    """`page` with every table between `<!-- name -->` and `<!-- end -->` as `result` has it."""
    for name, table in tables(result).items():
        page, found = re.subn(rf"(?s)(<!-- {name} -->\n).*?(<!-- end -->)", lambda m: f"{m[1]}{table}\n{m[2]}", page)  # noqa: B023
        assert found == 1, name
    return page


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _machine(result: dict[str, Any]) -> str:
    machine = result["machine"]
    versions = ", ".join(" ".join(pair) for pair in machine["versions"].items())
    return (
        f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['system']}, {machine['vector_instructions']},"
        f" BLAS {machine['blas']}; Python {machine['python']}, {versions}; {result['minutes']:.0f} minutes in all."
    )


def _course(result: dict[str, Any]) -> str:
    """One row a contender, one column a workload: seconds, and how many times as fast as idiomatic PyTorch."""
    rows = result["course"]
    cells = {(row["contender"], row["workload"]): _cell(row) for row in rows if row["seconds"]}
    workloads, timed = (
        list(dict.fromkeys(names)) for names in ((row["workload"] for row in rows), (who for who, _ in cells))
    )
    lines = [[who, *(cells.get((who, workload), "") for workload in workloads)] for who in timed]
    refused = dict.fromkeys(f"- {row['contender']}: {row['refused']}" for row in rows if row["refused"])
    return "\n".join([markdown(["", *workloads], lines), *(["", "Without a time:", "", *refused] if refused else [])])


def _cell(row: dict[str, Any]) -> str:
    times = f" ({row['ratio']:.1f})" if row["ratio"] and row["contender"] != IDIOMATIC else ""
    return f"{row['median']:.3g}{'*' if row['share'] < 1 else ''}{times}"


def _large(result: dict[str, Any]) -> str:
    """One row a batch size, and how fast compiled is as a share of the best of all others."""
    seconds = _seconds(result["large"], "workload").dropna(axis="columns", how="all")
    best = seconds.drop(columns=COMPILED, errors="ignore").min(axis=1)
    lines = [
        [name, *(_number(value) for value in row), _ratio(best[name], row.get(COMPILED))]
        for name, row in seconds.iterrows()
    ]
    return markdown(["", *seconds.columns, "compiled, share of the best"], lines)


def _ratios(result: dict[str, Any]) -> str:
    """Pycompare's engines with each other and `n_jobs=2` with one run at a time."""
    seconds = _seconds(result["course"], "workload")
    one_job = seconds[COMPILED].fillna(seconds["pycompare, autograd"])
    lines = [
        [name, _ratio(row.get(FUSED), row.get(COMPILED)), _ratio(one_job[name], row.get(TWO_JOBS))]
        for name, row in seconds.iterrows()
    ]
    return markdown(["", "compiled against fused", "`n_jobs=2` against 1"], lines)


def _first(result: dict[str, Any]) -> str:
    """The first epoch of each sweep, for those who compile."""
    rows = [row for row in result["course"] if row["contender"] in COMPILERS and row["first"]]
    workloads = list(dict.fromkeys(row["workload"] for row in rows))
    first = {(row["contender"], row["workload"]): _number(row["first"]) for row in rows}
    lines = [[who, *(first.get((who, workload), "") for workload in workloads)] for who in COMPILERS]
    return markdown(["seconds of the first epoch", *workloads], lines)


def _bounds(result: dict[str, Any]) -> str:
    """What the compiled training needs, and what share of its time that would take at this machine's peaks."""
    seconds, peaks = _seconds(result["large"], "workload")[COMPILED], result["bounds"]["peaks"]
    lines = []
    for needs in result["bounds"]["needs"]:
        taken = seconds.get(needs["workload"], float("nan"))
        products, moved = needs["flops"] / peaks["flops"] / taken, needs["bytes"] / peaks["cache"] / taken
        counted = [f"{needs['flops'] / 1e9:.1f}", f"{needs['bytes'] / 1e9:.2f}", _number(taken)]
        lines.append([needs["workload"], *counted, *(_percent(share) for share in (products, moved, products + moved))])
    header = ["", "GFLOP", "GB", "seconds", "products at peak", "bytes at peak", "both"]
    said = (
        f"Peaks of one thread: {peaks['flops'] / 1e9:.0f} GFLOP/s in a large `sgemm`,"
        f" {peaks['cache'] / 1e9:.0f} GB/s in a copy within the cache, {peaks['memory'] / 1e9:.0f} GB/s beyond it."
    )
    return f"{said}\n\n{markdown(header, lines)}"


def _startup(result: dict[str, Any]) -> str:
    lines = [[row["what"], _number(row["median"]), _number(row["limit"])] for row in result["startup"]]
    return markdown(["paid once", "seconds", "at most"], lines)


def _memory(result: dict[str, Any]) -> str:
    """Medians over the processes."""
    medians = pd.DataFrame(result["memory"]).groupby("contender", sort=False).median(numeric_only=True)
    lines = [[name, *(f"{max(value, 0):.0f}" for value in row)] for name, row in medians.iterrows()]
    return markdown(["MiB", "after imports", "first run, above", "later run, above"], lines)


def _loss_map(result: dict[str, Any]) -> str:
    lines = [
        [
            row["loss"],
            _number(row["ours"]),
            _number(row["loop"]),
            f"{row['ratio']:.0f}",
            "yes" if row["same_bits"] else "no",
        ]
        for row in result["loss_map"]
    ]
    return markdown(["loss", "`loss_map`, s", "loop, s", "times as fast", "same bits"], lines)


def _scaling(result: dict[str, Any]) -> str:
    seconds = _seconds(result["scaling"], ["axis", "size"])
    lines = [
        [axis, f"{size:,}", *(_number(value) for value in row), _ratio(row[IDIOMATIC], row.get(COMPILED))]
        for (axis, size), row in seconds.iterrows()
    ]
    return markdown(["grows", "to", *seconds.columns, "compiled, times as fast"], lines)


def _seconds(rows: Rows, index: str | list[str]) -> pd.DataFrame:
    """Medians, one row a workload, one column a contender, in the order in which they were measured."""
    keys = [index] if isinstance(index, str) else index
    frame = pd.DataFrame(rows).set_index([*keys, "contender"])
    return frame["median"].astype(float).unstack(sort=False)  # noqa: PD010


def _number(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.3g}"


def _ratio(slow: float | None, fast: float | None) -> str:
    return "" if slow is None or fast is None or pd.isna(slow / fast) else f"{slow / fast:.2f}"


def _percent(share: float) -> str:
    return "" if pd.isna(share) else f"{share:.0%}"


# The parts of the result that each table shows.
TABLES: dict[str, tuple[set[str], Callable[[dict[str, Any]], str]]] = {
    "machine": ({"machine", "minutes"}, _machine),
    "course": ({"course"}, _course),
    "ratios": ({"course"}, _ratios),
    "first": ({"course"}, _first),
    "large": ({"large"}, _large),
    "bounds": ({"large", "bounds"}, _bounds),
    "startup": ({"startup"}, _startup),
    "memory": ({"memory"}, _memory),
    "loss_map": ({"loss_map"}, _loss_map),
    "scaling": ({"scaling"}, _scaling),
}
