"""Training curves from the logs of one or several runs."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from keras_seqgen.errors import UserError


def read_log(path: str | Path) -> dict[str, list[float]]:
    """Reads the CSV that `keras.callbacks.CSVLogger` writes: a column for each name, NaN where a cell is empty.

    Raises:
        UserError: the file is not there or holds no rows.
    """
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    if not rows:
        raise UserError(f"{path} holds no rows yet: train for at least one epoch first")
    return {name: [_number(row.get(name)) for row in rows] for name in rows[0] if name}


def save_curves(
    path: str | Path, logs: Mapping[str, str | Path], columns: Sequence[str], *, against: str = "epoch"
) -> Path:
    """Draws columns of several logs over a common axis.

    Args:
        path: a picture; its suffix (.png, .svg, .pdf) names the format.
        logs: label -> CSV file.
        columns: names of the columns to draw; one that a log lacks is left out there.
        against: the column that runs along the horizontal axis.

    Returns:
        The path.

    Raises:
        UserError: an unknown suffix, no such file, a column that none of the logs has, or a place that cannot be
            written.
    """
    if Path(path).suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UserError(f"Curves are written as .png, .svg, .pdf. Received: {Path(path).name}")
    tables = {label: read_log(log) for label, log in logs.items()}
    known = sorted(set().union(*tables.values()))
    missing = [name for name in (*columns, against) if name not in known]
    if missing:
        raise UserError(f"No log has the column {', '.join(missing)}. There are: {', '.join(known)}")

    from matplotlib.backends.backend_agg import FigureCanvasAgg  # slow
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(xlabel=against, ylabel=columns[0] if len(columns) == 1 else "")
    for label, table in tables.items():
        for column in columns:
            if column in table and against in table:
                axes.plot(table[against], table[column], label=f"{label} {column}".strip(), linewidth=1.2)
    axes.grid(alpha=0.3)
    axes.legend()
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
    return Path(path)


def _number(cell: str | None) -> float:
    try:
        return float(cell or "nan")
    except ValueError:
        return float("nan")
