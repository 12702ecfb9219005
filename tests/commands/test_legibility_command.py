"""`evaluate handwriting --legibility` and `write --best-of`.

The ink of `tiny_handwriting` is read by its geometry: 4 steps to the right are an "a", 4 steps downward a "b".
"""

import json
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_seqgen.cli import main
from keras_seqgen.commands import handwriting, ink_reader, legibility
from keras_seqgen.commands.ink_reader import best_lines, open_reader
from keras_seqgen.commands.legibility import choose_lines, measure, table, unit_ratio, write_texts
from keras_seqgen.data.ink_features import FEATURES
from keras_seqgen.data.recognition_batches import FrameUnit
from keras_seqgen.data.schema import InkLine
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding import LineWriter
from keras_seqgen.decoding.legibility import judge
from keras_seqgen.errors import UserError
from keras_seqgen.metrics.edit_distance import character_error_rate, word_error_rate
from keras_seqgen.models import handwriting_synthesis
from keras_seqgen.models.ctc_recogniser import ctc_recogniser
from keras_seqgen.serving import SavedHandwriting, export_handwriting
from keras_seqgen.serving.recognition import export_recogniser

AB = Vocabulary("ab")
CARD = "# Tiny\n\nRandom weights, free of terms.\n"


class Geometer:
    """Reads ink of 4 steps for each character, right or down."""

    folder, features, vocabulary = "planted", "raw", AB

    def recognise(self, lines):
        return [SimpleNamespace(text=self.read(line)) for line in lines]

    def read(self, points):
        steps = np.diff(points[:, :2], axis=0)
        assert (np.abs(steps).max(axis=1) > 2).all(), "the unit is that of the data"
        return "".join("a" if x > abs(y) else "b" if y > abs(x) else "?" for x, y in steps[::4])


class Scribe(LineWriter):
    """Writes what the Geometer reads; without a bias its b is an a. Unit: a step is `step`."""

    folder = "scribe"

    def __init__(self, step=4.0, vocabulary=AB):
        super().__init__(vocabulary)
        self.step, self.requests = step, []

    def generate(self, request):
        self.requests.append(request)
        rows = np.zeros((len(request.texts), max(request.limit), 3), np.float32)
        for row, text, bias in zip(rows, request.texts, request.bias, strict=True):
            for n, character in enumerate(text):
                row[4 * n : 4 * n + 4, int(character == "b" and bias > 0)] = self.step
        return rows, np.minimum([4 * len(text) for text in request.texts], request.limit)


@pytest.fixture
def planted(monkeypatch, tiny_handwriting):
    """A Geometer and a Scribe in the places of the models."""
    scribe = Scribe()
    monkeypatch.setattr(legibility, "open_reader", lambda folder: Geometer())
    monkeypatch.setattr(legibility, "_writer", lambda arguments: (scribe, tiny_handwriting / "stats.json"))
    return scribe


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """saved_models/ with handwriting/1 and ink-recognition/1, of random weights."""
    root = tmp_path_factory.mktemp("legibility") / "saved_models"
    keras.utils.set_random_seed(5)
    writer = handwriting_synthesis(2, units=16, depth=1, window_components=2, mixture_components=3)
    export_handwriting(writer, AB, np.full(2, 2.0, "f4"), np.full(2, 2.0, "f4"), root / "handwriting", CARD)
    width = len(FEATURES["preprocessed"])
    reader = ctc_recogniser(2, width, units=6, convolutions=((8, 3, 1),))
    output = reader.get_layer("logits")
    output.kernel.assign(output.kernel * 15)
    unit = FrameUnit("preprocessed", FEATURES["preprocessed"], np.zeros(width, "f4"), np.ones(width, "f4"))
    export_recogniser(reader, AB, unit, root / "ink-recognition", CARD)
    return root


def points_of(path):
    return json.loads(path.read_text())["points"]


def evaluate(models, data, *flags):
    words = ["evaluate", "handwriting", "--legibility", "--model", models / "handwriting", "--data", data, *flags]
    return main([str(word) for word in words])


def test_real_and_written_lines_by_hand(planted, models, tiny_handwriting, capsys):
    assert evaluate(models, tiny_handwriting, "--bias", "0", "1", "--json") == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    texts = planted.requests[0].texts
    share = sum(text.count("b") for text in texts) / sum(map(len, texts))
    assert (report["split"], report["lines"], len(texts), report["left_out"]) == ("valid", 8, 8, {})
    assert report["real"] == {"cer": 0.0, "wer": 0.0, "exact": 1.0, "cer_interval": [0.0, 0.0]}
    assert 0 < share < 1
    plain, neat = report["written"]
    assert (plain["bias"], neat["bias"]) == (0.0, 1.0)
    assert plain["cer"] == pytest.approx(share)
    low, high = plain["cer_interval"]
    assert low < share < high
    assert plain["exact"] == pytest.approx(np.mean(["b" not in text for text in texts]))
    assert plain["wer"] == pytest.approx(1 - plain["exact"])
    assert neat["cer"] == 0.0
    assert "bias 1: 8 of 8 lines written" in err


def test_the_seed_of_a_line_is_the_same_at_every_bias(planted, models, tiny_handwriting, capsys):
    assert evaluate(models, tiny_handwriting, "--bias", "0", "2", "--seed", "40", "--lines", "5") == 0
    first, second = planted.requests
    np.testing.assert_array_equal(first.seed, second.seed)
    assert sorted(first.seed[:, 0]) == [40, 41, 42, 43, 44]
    assert (set(first.bias), set(second.bias)) == ({0.0}, {2.0})
    out = capsys.readouterr().out.splitlines()
    assert [line[:10] for line in out[1:4]] == ["real lines", "bias 0    ", "bias 2    "]
    assert out[4] == "5 lines of valid"


def test_ink_of_another_unit_is_scaled_to_that_of_the_data(planted, models, tiny_handwriting, monkeypatch, capsys):
    planted.step = 0.5  # the Geometer's own assertion fails where it is handed on as it is
    monkeypatch.setattr(legibility, "usual_step", lambda stats: 4.0 if stats.parent == tiny_handwriting else 0.5)
    monkeypatch.setattr(legibility, "_writer", lambda arguments: (planted, models / "stats.json"))
    assert evaluate(models, tiny_handwriting, "--bias", "1") == 0
    assert "scaled by 8 to" in capsys.readouterr().err


def test_units_that_differ_a_little_are_left_alone():
    assert [unit_ratio(40.0, own) for own in (40.0, 21.0, 79.0)] == [1.0] * 3
    assert [unit_ratio(40.0, own) for own in (80.0, 20.0)] == [0.5, 2.0]


def test_lines_that_cannot_be_written_or_read_are_counted():
    def line(text, points=3):
        return InkLine("", "", text, np.ones((points, 3), np.float32))

    lines = [line("ab"), line(""), line("abz"), line("abc"), line("a" * 201), line("b", 0), line("b", 5000), line("ba")]
    kept, left_out = choose_lines(lines, Scribe(vocabulary=Vocabulary("abc")), AB, 10)
    assert [one.text for one in kept] == ["ab", "ba"]
    assert sorted(left_out.values()) == [1, 1, 1, 1, 2]
    assert left_out["a character that the writer does not have"] == left_out["no text"] == 1
    assert left_out["a character that the reader does not have"] == left_out["a text too long to be written"] == 1
    with pytest.raises(UserError, match="no line can be both written and read: no text: 1"):
        choose_lines([line(" ")], Scribe(), AB, 10)


def test_lines_are_taken_evenly():
    lines = [InkLine("", "", "a" * (n + 1), np.ones((3, 3), np.float32)) for n in range(9)]
    assert [len(line.text) for line in choose_lines(lines, Scribe(), AB, 3)[0]] == [1, 5, 9]
    assert len(choose_lines(lines, Scribe(), AB, 9)[0]) == 9


def test_what_is_left_out_is_told():
    rates = {"cer": 0.1, "wer": 0.5, "exact": 0.25, "cer_interval": (0.05, 0.15)}
    written = [{"bias": 0.5, **rates}]
    told = table({"real": rates, "written": written, "lines": 4, "split": "test", "left_out": {"no text": 2}})
    assert told.splitlines()[1].split() == ["real", "lines", "0.1000", "0.0500", "-", "0.1500", "0.5000", "0.2500"]
    assert told.splitlines()[-2:] == ["4 lines of test", "left out: 2 with no text"]


def test_rates_are_those_of_the_whole():
    texts, readings = ["ab", " b a", "aaa"], ["a", "b a ", "abab"]
    rates = measure(texts, readings)
    assert rates["cer"] == pytest.approx((1 + 0 + 2) / (2 + 3 + 3))
    assert rates["cer"] == pytest.approx(character_error_rate(texts, readings))
    assert rates["wer"] == word_error_rate(texts, readings)
    low, high = rates["cer_interval"]
    assert 0 <= low < rates["cer"] < high <= 2 / 3


def test_drawings_come_back_in_the_order_of_the_texts():
    texts = ["abab", "a", "bb", "aba"]
    scribe = Scribe()
    drawings = write_texts(scribe, texts, 1.0, 10, "test")
    assert scribe.requests[0].texts == ["a", "bb", "aba", "abab"]
    assert scribe.requests[0].seed[:, 0].tolist() == [11, 12, 13, 10]
    assert [len(drawing) for drawing in drawings] == [16, 4, 8, 12]
    assert [Geometer().read(np.cumsum(np.pad(ink, ((1, 0), (0, 0))), axis=0)) for ink in drawings] == texts


@pytest.mark.slow
def test_a_run_is_measured_as_its_export(models, tiny_handwriting, tmp_path, capsys):
    run, saved = tmp_path / "run", tmp_path / "saved_models" / "handwriting"
    train = ["train", "handwriting-demo", "--data", str(tiny_handwriting), "--run", str(run), "--steps", "2"]
    assert main([*train, "--set", "units=8", "depth=1", "steps_per_epoch=2", "batch_size=4"]) == 0
    assert main(["export", "--run", str(run), "--to", str(saved)]) == 0
    flags = ["--data", tiny_handwriting, "--reader", models / "ink-recognition", "--bias", "1", "--lines", "3"]
    reports = []
    for which in (["--run", run], ["--model", saved]):
        capsys.readouterr()
        assert main([str(word) for word in ["evaluate", "--legibility", *which, *flags, "--json"]]) == 0
        reports.append(json.loads(capsys.readouterr().out))
    assert reports[0]["real"] == reports[1]["real"]
    assert reports[0]["written"] == reports[1]["written"]
    assert reports[0]["lines"] == 3
    assert reports[0]["reader"] == str(models / "ink-recognition" / "1")


def test_the_best_of_several_is_drawn_again_by_its_seed(models, tmp_path, capsys):
    texts, model, folder = ["abba", "ba"], ["--model", models / "handwriting"], models / "ink-recognition"

    def write(file, *words):
        capsys.readouterr()
        assert main([str(word) for word in ["write", *words, *model, "--json", "-o", tmp_path / file]]) == 0
        return json.loads(capsys.readouterr().out)

    told = write("page.json", *texts, "--best-of", "6", "--seed", "3", "--reader", folder)
    seeds = told["seeds"]
    assert told["best_of"] == 6
    assert [seed in range(first, first + 12, 2) for seed, first in zip(seeds, (3, 4), strict=True)] == [True, True]

    assert write("again.json", *texts, "--seed", ",".join(map(str, seeds)))["seeds"] == seeds
    assert (tmp_path / "again.json").read_text() == (tmp_path / "page.json").read_text()
    write("alone.json", "abba", "--seed", seeds[0])
    assert points_of(tmp_path / "alone.json") == json.loads((tmp_path / "page.json").read_text())["lines"][0]["points"]

    writer, reader = SavedHandwriting(models / "handwriting"), open_reader(folder)
    for n, text in enumerate(texts):  # no other drawing reads better
        drawings = [writer.write(text, bias=1.0, seed=seed)[0] for seed in range(3 + n, 15 + n, 2)]
        rates = [character_error_rate([text], [judge(reader, text, [ink], 5000)[0].reading]) for ink in drawings]
        assert told["cer"][n] == min(rates) == rates[(seeds[n] - 3 - n) // 2]
        assert told["cer"][n] == character_error_rate([text], [told["readings"][n]])
        assert len(set(rates)) > 1, "there was something to choose"


class Picky:
    """Reads every drawing as "a" but that of one seed."""

    def __init__(self, text, number):
        self.vocabulary, self.text, self.number = AB, text, number

    def logits(self, lines):
        said = [self.text if n == self.number else "a" for n in range(len(lines))]
        rows = [np.eye(3)[[k for c in text for k in (AB.ids[c], 0)]] * 9 for text in said]
        return [(row, np.arange(len(row))) for row in rows]


@pytest.mark.parametrize("number", [0, 2, 4])
def test_what_a_reader_prefers_is_kept(number, capsys):
    scribe = Scribe()
    chosen = best_lines(scribe, Picky("ab", number), ["ab"], [10], 5, bias=1.0)
    assert [(one.seed, one.reading, one.cer) for one in chosen] == [(10 + number, "ab", 0.0)]
    assert scribe.requests[0].seed[:, 0].tolist() == [10, 11, 12, 13, 14]
    assert f"seed {10 + number} reads 'ab', CER 0.000 (mean of 5: 0.400)" in capsys.readouterr().err


@pytest.mark.parametrize("features", ["raw", "preprocessed"])
def test_a_reader_that_takes_a_unit_is_told_of(features, tmp_path, monkeypatch, capsys):
    reader = Picky("ab", 1)
    reader.features = features
    monkeypatch.setattr(handwriting, "open_reader", lambda folder: reader)
    monkeypatch.setattr(handwriting, "_local_writer", lambda arguments: Scribe())
    assert main(["write", "ab", "--best-of", "2", "-o", str(tmp_path / "line.json")]) == 0
    assert ("in the unit of its training data" in capsys.readouterr().err) == (features == "raw")


def test_a_reader_without_a_choice_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(handwriting, "_local_writer", lambda arguments: Scribe())
    assert main(["write", "ab", "--reader", "a", "-o", str(tmp_path / "line.json")]) == 2
    assert "--best-of" in capsys.readouterr().err


def test_each_line_has_its_own_seeds_and_its_own_choice():
    scribe = Scribe(vocabulary=Vocabulary(" ab"))
    chosen = best_lines(scribe, Picky("ab", 1), ["ab", " ba", "b"], [4, 5, 6], 2, bias=1.0, replace=None)
    assert scribe.requests[0].seed[:, 0].tolist() == [4, 7, 5, 8, 6, 9]
    assert chosen[0].seed == 7
    assert [len(one.strokes) for one in chosen] == [8, 12, 4]


def test_unknown_characters_are_judged_as_they_are_replaced():
    assert best_lines(Scribe(), Picky("ab", 1), ["aé"], [0], 2, replace="b")[0].seed == 1
    with pytest.raises(UserError, match="'c'"):
        best_lines(Scribe(vocabulary=Vocabulary("abc")), Picky("ab", 1), ["ac"], [0], 2)


@pytest.mark.slow
def test_a_servers_drawings_are_read_here(models, tmp_path, capsys):
    from keras_seqgen.server.local_server import LocalServer

    here, there = tmp_path / "here.json", tmp_path / "there.json"
    options = ["--reader", str(models / "ink-recognition"), "--best-of", "4", "--json"]
    with LocalServer(models, port=0, rest_port=0) as server:
        capsys.readouterr()
        address = f"127.0.0.1:{server.rest_port}"
        assert main(["write", "abba", "--server", address, *options, "-o", str(there)]) == 0
    remote = json.loads(capsys.readouterr().out)
    assert main(["write", "abba", "--model", str(models / "handwriting"), *options, "-o", str(here)]) == 0
    assert json.loads(capsys.readouterr().out)["seeds"] == remote["seeds"]
    assert points_of(here) == points_of(there)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("write ab -o {tmp}/line.svg --model {models}/handwriting --best-of 0", "--best-of"),
        (
            "write ab -o {tmp}/line.svg --model {models}/handwriting --best-of 2 --reader {models}/handwriting",
            "reading",
        ),
        ("write ab ba a -o {tmp}/line.svg --model {models}/handwriting --seed 1,2", "each of the 3 lines"),
        ("write ab -o {tmp}/line.svg --model {models}/handwriting --seed one", "--seed"),
        ("evaluate handwriting --legibility --data {data} --model {models}/handwriting --lines 0", "--lines"),
        ("evaluate handwriting --legibility --data {tmp} --model {models}/handwriting", "prepare"),
        ("evaluate --legibility --data {data} --model {models}/ink-recognition", "is of ink-recognition"),
        ("evaluate text --data {data} --model {models}/handwriting", "not of text"),
        ("evaluate --data {data}", "SYSTEM"),
    ],
)
def test_mistakes_are_one_line(words, message, models, tiny_handwriting, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ink_reader, "default_model", lambda system: models / system)
    try:
        code = main(words.format(tmp=tmp_path, models=models, data=tiny_handwriting).split())
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_without_a_reader_the_remedy_is_told(monkeypatch):
    def nothing(system):
        raise UserError("nothing")

    monkeypatch.setattr(ink_reader, "default_model", nothing)
    with pytest.raises(UserError, match=r"--reader.*prepare ink-recognition.*train.*export --to saved_models"):
        open_reader(None)


def test_a_system_alone_means_its_model_of_saved_models(models, tiny_handwriting, monkeypatch, capsys):
    from keras_seqgen.commands import training

    monkeypatch.setattr(training, "default_model", lambda system: models / system)
    assert main(["evaluate", "handwriting", "--data", str(tiny_handwriting), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sequences"] == 8


def test_an_empty_split_is_not_divided_by(models, tiny_handwriting, tmp_path, capsys):
    folder = shutil.copytree(tiny_handwriting, tmp_path / "prepared")
    (folder / "test-00000-of-00001.tfrecord").write_bytes(b"")
    words = ["evaluate", "--model", models / "handwriting", "--data", folder, "--split", "test"]
    assert main([str(word) for word in words]) == 2
    assert f"the split 'test' of {folder} is empty" in capsys.readouterr().err
