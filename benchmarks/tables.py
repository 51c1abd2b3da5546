"""The figures of a run as text."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from contenders import IDIOMATIC

LEGEND = """\
One thread on one CPU, except n_jobs=2. Medians; "times as fast" as idiomatic PyTorch; "apart": the largest relative
difference from pycompare's losses over all epochs run; "*": extrapolated from a share of the epochs."""


def print_tables(result: dict[str, Any]) -> None:
    machine = result["machine"]
    print(f"\n{machine['cpu']}, {machine['system']}, {machine['vector_instructions']}, BLAS {machine['blas']}")
    print(f"Python {machine['python']}, " + ", ".join(" ".join(pair) for pair in machine["versions"].items()))
    print(LEGEND)
    for name, rows in groupby(result["training"], key=lambda row: row["workload"]):
        print(f"\n{name}")
        print(pd.DataFrame([_training_row(row) for row in rows]).to_string(index=False))
    print("\nStart-up")
    print(pd.DataFrame([_startup_row(row) for row in result["startup"]]).to_string(index=False))
    print("\nMap of a neuron's loss, 101 x 101 lines: seconds")
    print(pd.DataFrame(result["loss_map"]).to_string(index=False, float_format="%.3g"))
    print("\nPeak memory in MiB: above what was in use before the run")
    print(memory_table(result["memory"]).to_string(float_format="%.1f"))
    print("\nHow time grows: seconds")
    print(scaling_table(result["scaling"]).to_string(float_format="%.3g", na_rep=""))
    print(f"\n{result['minutes']:.1f} minutes in all")


def memory_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Medians over the processes."""
    return pd.DataFrame(rows).groupby(["workload", "contender"], sort=False).median()


def scaling_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a point, one column a contender, and how many times as fast as idiomatic PyTorch pycompare is."""
    frame = pd.DataFrame(rows)
    for name in ("axis", "contender"):
        frame[name] = pd.Categorical(frame[name], categories=frame[name].unique())
    table = frame.pivot_table("median", ["axis", "size"], "contender", observed=True)
    table.columns = table.columns.tolist()
    ratio = table[IDIOMATIC] / table.drop(columns=IDIOMATIC).min(axis=1)
    return table.assign(**{"times as fast": ratio})


def _training_row(row: dict[str, Any]) -> dict[str, str]:
    seconds = np.array(row["seconds"]) / row["share"]
    if not len(seconds):
        return {"contender": row["contender"], "note": row["refused"]}
    return {
        "contender": row["contender"],
        "median s": f"{row['median']:.3g}" + ("*" if row["share"] < 1 else ""),
        "spread s": f"{seconds.min():.3g} to {seconds.max():.3g}",
        "times as fast": f"{row['ratio']:.2f}" if row["ratio"] else "",
        "apart": _apart(row),
        "note": f"{len(seconds)} round on {row['share']:.0%} of the epochs" if row["share"] < 1 else "",
    }


def _apart(row: dict[str, Any]) -> str:
    if np.isinf(row["tolerance"]):
        return "not equivalent"
    return f"{row['difference']:.0e}" if row["difference"] else "same bits"


def _startup_row(row: dict[str, Any]) -> dict[str, str]:
    if row["median"] is None:
        return {"what": row["what"], "median s": "not available"}
    low, high = min(row["seconds"]), max(row["seconds"])
    limit = f"{row['limit']:g}" if row["limit"] else ""
    return {
        "what": row["what"],
        "median s": f"{row['median']:.3g}",
        "spread s": f"{low:.3g} to {high:.3g}",
        "at most": limit,
    }
