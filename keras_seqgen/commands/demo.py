"""`keras-seqgen demo`: the whole way from a corpus to a written line, one public command after the other."""

import csv
import shlex
import subprocess
import sys
import time
from pathlib import Path

from keras_seqgen.errors import UserError

LINES = 12_000
UPDATES = 3_000
CARD = """# A handwriting demo

Trained for a few minutes by `keras-seqgen demo` on the embedded corpus: text lines of small letters drawn with the
single-stroke Hershey fonts in random hands. Neither the corpus nor this model is under any terms but the package's own.
It shows the way from raw data to a written line; it is not meant for use.
"""


def demo(arguments) -> int:
    """Runs the commands whose results are not there yet; the exit code of the first that fails."""
    if arguments.minutes <= 0:
        raise UserError(f"--minutes must be positive. Received: {arguments.minutes}")
    folder, started = Path(arguments.folder), time.monotonic()
    data, run, model = folder / "data", folder / "run", folder / "saved_models" / "handwriting"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "card.md").write_text(CARD, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}") from error
    prepare = ["handwriting", "--format", "hershey", "--style", "demo", "--count", LINES, "--output", data]
    trained = _updates(run) >= UPDATES
    train = ["handwriting-demo", "--data", data, "--run", run, "--steps", UPDATES, "--minutes", arguments.minutes]
    export = ["export", "--run", run, "--to", model, "--card", folder / "card.md"]
    write = [arguments.text, "--model", model, "--bias", 1, "-o"]
    stages = [
        ("draw text lines in 200 hands", (data / "stats.json").exists(), ["prepare", *prepare]),
        ("learn to write", trained, ["train", *train]),
        ("export a SavedModel", trained and (model / "1").exists(), export),
        ("write through it", False, ["write", *write, folder / "line.svg"]),
        ("write it again, as a picture", False, ["write", *write, folder / "line.png"]),
    ]
    for number, (what, done, command) in enumerate(stages, 1):
        words = [str(word) for word in command]
        print(f"\n[{number}/{len(stages)}] {what}{' (done before)' if done else ''}", file=sys.stderr)
        print(f"$ keras-seqgen {shlex.join(words)}", file=sys.stderr, flush=True)
        if not done:
            code = subprocess.run([sys.executable, "-m", "keras_seqgen.cli", *words], check=False).returncode
            if code:
                return code
    minutes = (time.monotonic() - started) / 60
    print(f"\n{minutes:.1f} minutes. Look at {folder / 'line.svg'} and {folder / 'line.png'}", file=sys.stderr)
    return 0


def _updates(run: Path) -> int:
    """How many updates a run has had, by its log."""
    try:
        with open(run / "log.csv", newline="", encoding="utf-8") as file:
            return max((int(row["step"]) for row in csv.DictReader(file)), default=0)
    except OSError:
        return 0
