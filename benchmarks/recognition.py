"""Error rates of the recognisers: the tables for pen, print and speech, from the raw data or from finished runs.

python -m benchmarks.recognition ink --input iam_ondb [--corpus FILE...]
python -m benchmarks.recognition print --input ocr_lines/arabic
python -m benchmarks.recognition speech --input fsdd
python -m benchmarks.recognition speech --input fsdd --set updates=4000 --only digits 'digits-no-*'

- ink: raw and preprocessed points, the network of 2008 and a larger one, each by its best path and with language models
  of the training transcriptions (and of --corpus), on IAM-OnDB's testset_f.
- print: unseen lines of the training books and a book that is not trained on, --unseen, with and without the
  normaliser. The input is a folder of one .zip archive for each book.
- speech: FSDD's strings by the best path and with a lexicon of ten words; then, for each speaker, networks that never
  heard him: trained on strings as recorded and nothing else (-bare), with the recipe's noise and masks on their frames
  (-plain), and on synthetic sound besides; with --voices, folders of `keras-seqgen prepare voices`, on those voices
  and noise and masks on their frames (-voices); and by how much these cut the error.

What is done is not done again: a folder that is prepared, a run with all its updates, a measurement that is not older
than what it measured. Stopped at any time, the same command goes on; another --set or --corpus needs another --runs,
other --strings or --voices another --prepared too.
--measure tells of the finished runs alone.
"""

import argparse
import dataclasses
import fnmatch
import json
import statistics
import subprocess
import sys
from pathlib import Path

from keras_seqgen.commands.recognition import evaluate_run
from keras_seqgen.commands.systems import register_classes
from keras_seqgen.recipes import find_recipe, load_recipe, override
from keras_seqgen.training.callbacks import read_log

SYNTHESIS = {
    "-plain": "noise and masks on frames",
    "": "noise and masks on frames, and synthetic sound",
    "-voices": "noise and masks on frames, and synthetic voices",
}
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclasses.dataclass(frozen=True)
class Row:
    """A run: its recipe, the folder that it learns from, those whose test splits it reads, and what helps it there.

    `folders` are names below --prepared -> what `keras-seqgen prepare` is given for them. `settings` of the recipe come
    before --set.
    """

    recipe: str
    learns: str
    reads: tuple[str, ...]
    folders: dict[str, list[str]]
    corpus: list[str] | None = None
    words: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()


def ink_rows(arguments):
    """Run -> `Row`."""
    base = ["ink-recognition", "--input", str(arguments.input)]
    folders = {"ink-raw": [*base, "--features", "raw"], "ink": base}
    recipes = {
        "ink-recognition-paper-raw": "ink-raw",
        "ink-recognition-paper": "ink",
        "ink-recognition-raw": "ink-raw",
        "ink-recognition": "ink",
    }
    return {
        recipe: Row(recipe, name, (name,), {name: folders[name]}, corpus=arguments.corpus)
        for recipe, name in recipes.items()
    }


def print_rows(arguments):
    """Run -> `Row`."""
    books = sorted(map(str, arguments.input.glob("*.zip")))
    unseen = [book for book in books if arguments.unseen in Path(book).name]
    seen = [book for book in books if book not in unseen]
    if not (seen and unseen):
        raise SystemExit(f"{arguments.input} must hold archives of books, one with {arguments.unseen} in its name")
    rows = {}
    for run, ending, flags in (("arabic", "", []), ("arabic-plain", "-plain", ["--no-normalise"])):
        base = ["text-lines", "--direction", "rtl", *flags, "--input"]
        folders = {
            f"arabic{ending}": [*base, *seen],
            f"arabic-adab{ending}": [*base, *unseen, "--hash-split", "0", "0", "100"],
        }
        rows[run] = Row("text-lines", f"arabic{ending}", tuple(folders), folders)
    return rows


def speech_rows(arguments):
    """Run -> `Row`."""
    base = ["speech", "--format", "fsdd", "--input", str(arguments.input)]
    if arguments.strings:
        base += ["--strings", str(arguments.strings), "500", "500"]
    speakers = sorted({path.stem.split("_")[1] for path in arguments.input.rglob("*_*_*.wav")})
    if len(speakers) < 2:
        raise SystemExit(f"{arguments.input} must hold digit_speaker_take.wav of several speakers")
    rows = {"digits": Row("speech-digits", "digits", ("digits",), {"digits": base}, words=DIGITS)}
    for speaker in speakers:
        run = f"digits-no-{speaker}"
        prepare = [*base, "--leave-out", speaker]
        plain = {f"{run}-plain": [*prepare, "--no-synthesis"]}
        rows[run] = Row("speech-digits", run, (run,), {run: prepare}, words=DIGITS)
        rows[f"{run}-plain"] = Row("speech-digits", *plain, tuple(plain), plain, words=DIGITS)
        rows[f"{run}-bare"] = dataclasses.replace(rows[f"{run}-plain"], settings=("noise=0", "masks=0"))
        if arguments.voices:
            voices = {f"{run}-voices": [*prepare, "--no-synthesis", "--voices", *map(str, arguments.voices)]}
            rows[f"{run}-voices"] = Row("speech-digits", *voices, tuple(voices), voices, words=DIGITS)
    return rows


def cut_by_synthesis(rows):
    """Mean errors over the speakers that a network never heard, and the part of them that each kind of synthesis takes
    away, where it was measured with and without."""
    found = {}
    names = [name.removesuffix("-bare") for name in rows if name.endswith("-bare")]
    for ending, kind in SYNTHESIS.items():
        pairs = [(rows[name + ending]["cer"], rows[f"{name}-bare"]["cer"]) for name in names if name + ending in rows]
        if pairs:
            with_it, without = (statistics.mean(rates) for rates in zip(*pairs, strict=True))
            cut = 1 - with_it / without if without else 0.0
            found[kind] = {"speakers": len(pairs), "cer": with_it, "cer, strings as recorded": without, "cut": cut}
    return found


def command(*words):
    """Run a command of keras-seqgen; what it says goes to standard error."""
    print("keras-seqgen", *words, file=sys.stderr, flush=True)
    done = subprocess.run([sys.executable, "-m", "keras_seqgen.cli", *map(str, words)], check=False, stdout=sys.stderr)
    if done.returncode:
        raise SystemExit(done.returncode)


def updates_left(run):
    """Whether a run has updates before it."""
    if not (run / "best.keras").exists():
        return True
    log, recipe = read_log(run / "log.csv"), load_recipe(run)[1]
    return not log or float(log[-1]["step"]) < recipe.updates


def check_begun(row, run, arguments):
    """End where a run was begun with other settings or texts than those that are asked for."""
    settings, corpus = [*row.settings, *arguments.set], list(row.corpus or [])
    if (run / "recipe.json").exists():
        _, begun = load_recipe(run)
        asked = override(find_recipe(row.recipe), settings)
        fields = dataclasses.asdict(dataclasses.replace(asked, goal=begun.goal))
        others = [name for name, value in fields.items() if getattr(begun, name) != value]
        if others:
            raise SystemExit(
                f"{run} was begun with another {', '.join(others)}: name another --runs, or --set the same"
            )
    if (run / "corpus.json").exists() and json.loads((run / "corpus.json").read_text(encoding="utf-8")) != corpus:
        raise SystemExit(f"the language models of {run} are of another --corpus: name another --runs")


def finish(row, run, arguments):
    """Prepare, train and tune what is not yet."""
    for name, prepare in row.folders.items():
        if not (arguments.prepared / name / "stats.json").exists():
            command("prepare", *prepare, "--output", arguments.prepared / name)
    data = arguments.prepared / row.learns
    if updates_left(run):
        settings = [*row.settings, *arguments.set]
        command("train", row.recipe, "--data", data, "--run", run, *(["--set", *settings] if settings else []))
    if row.corpus is not None and older(run / "language.json", run / "best.keras"):
        corpus = ["--corpus", *row.corpus] if row.corpus else []
        command("tune", "--run", run, "--data", data, *corpus)
        (run / "corpus.json").write_text(json.dumps(row.corpus) + "\n", encoding="utf-8")


def older(path, than):
    """Whether a file is older than another, or is not there."""
    return not path.exists() or path.stat().st_mtime < than.stat().st_mtime


def measure(row, run, arguments):
    """Rates on the test split of each folder that the row reads."""
    rates = {}
    for name in row.reads:
        kept = run / f"test-{name}.json"
        sources = [run / "best.keras", arguments.prepared / name / "stats.json", run / "language.json"]
        if any(older(kept, source) for source in sources if source.exists()):
            lexicon = run / "words.txt" if row.words else None
            if lexicon:
                lexicon.write_text("\n".join(row.words) + "\n", encoding="utf-8")
            found = evaluate_run(run, load_recipe(run)[1], arguments.prepared / name, "test", lexicon=lexicon)
            kept.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        found = json.loads(kept.read_text(encoding="utf-8"))
        rates |= found if name == row.learns else {f"{name} {key}": value for key, value in found.items()}
    return rates


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tables = {"ink": ink_rows, "print": print_rows, "speech": speech_rows}
    add = parser.add_argument
    add("table", nargs="?", choices=tables)
    add("--input", type=Path, metavar="FOLDER", help="the data as their publisher ships them")
    add("--prepared", type=Path, default=Path("prepared"), metavar="FOLDER", help="(default: prepared)")
    add("--runs", type=Path, default=Path("runs"), metavar="FOLDER", help="(default: runs)")
    add("--only", nargs="+", default=["*"], metavar="RUN", help="names or patterns of runs (default: all)")
    add("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings of the recipes, as for `train`")
    add("--corpus", nargs="+", default=[], metavar="FILE", help="ink: other texts for the language models")
    add("--unseen", default="Adab", metavar="NAME", help="print: in the name of the book for tests (default: Adab)")
    add(
        "--voices",
        nargs="+",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="speech: of synthetic voices, as more speakers",
    )
    add("--strings", type=int, metavar="N", help="speech: for training (default: that of `prepare speech`)")
    add("--measure", action="store_true", help="train nothing; leave out what is not finished")
    arguments = parser.parse_args()
    if not (arguments.table and arguments.input):
        print(json.dumps({"skipped": "needs a table and --input, the data that it is about"}))
        return
    register_classes()
    rows = {}
    for name, row in tables[arguments.table](arguments).items():
        if not any(fnmatch.fnmatch(name, pattern) for pattern in arguments.only):
            continue
        run = arguments.runs / name
        if arguments.set or not arguments.measure:
            check_begun(row, run, arguments)
        if not arguments.measure:
            finish(row, run, arguments)
        elif updates_left(run):
            print(f"{run} is not finished", file=sys.stderr)
            continue
        rows[name] = measure(row, run, arguments)
        print(json.dumps({name: rows[name]}), file=sys.stderr, flush=True)
    summary = {"left out": cut_by_synthesis(rows)} if arguments.table == "speech" else {}
    print(json.dumps({"rows": rows, **summary}, indent=1))


if __name__ == "__main__":
    main()
