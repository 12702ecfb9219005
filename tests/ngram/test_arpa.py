import gzip
import random
from pathlib import Path

import numpy as np
import pytest

from keras_seqgen.errors import UserError
from keras_seqgen.ngram import estimate, read_arpa, write_arpa

TOY = """tack tick tick|tick tock tock äh|tack tock|tick tick tick tack|äh tock tock tick|tick tock tick tack tick
tack tock|tick tock tick tock|tock tick tock tack|tack tack tock tick tack|tock tick tack tick äh|tick tick tick tick
tick tack tack|tick tock tick tack|tack tick tack tick|tick tick tock tick"""
SMALL = """
\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-1.5\t<unk>
-99\t<s>\t-0.5
-0.5\t</s>
-0.75\ta\t-0.25
-1\tb\t0

\\2-grams:
-0.25\t<s> a
-0.5\ta b
-0.125\ta </s>

\\end\\
"""


def entries(path):
    lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return {fields[1]: tuple(map(float, (fields[0], *fields[2:]))) for fields in lines if len(fields) > 1}


def arrays(model):
    levels = [model.level(order) for order in range(1, model.order + 1)]
    return [getattr(level, name).tolist() for level in levels for name in ("prefix", "word", "log_prob", "backoff")]


def corpus(seed):
    rng = random.Random(seed)
    words = ["a", "b", "größe", "日本", "\u00a0", "\u3000x", "\x1c"]
    return [rng.choices(words, [9, 6, 4, 2, 1, 1, 1], k=rng.randint(0, 8)) for _ in range(100)]


def test_equals_what_lmplz_wrote(tmp_path):
    """`lmplz -o 3 --discount_fallback` of kenlm 0.3.0 on the 16 sentences: all n-grams, each number to 1e-6."""
    sentences = [sentence.split() for sentence in TOY.replace("\n", "|").split("|")]
    write_arpa(estimate(sentences, 3), tmp_path / "ours.arpa")
    ours, theirs = entries(tmp_path / "ours.arpa"), entries(Path(__file__).parent / "lmplz_toy.arpa")
    assert ours.keys() == theirs.keys()
    for gram, numbers in theirs.items():
        assert ours[gram] == pytest.approx(numbers, abs=1e-6)


@pytest.mark.parametrize("name", ["model.arpa", "model.arpa.gz"])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_what_is_written_is_read_back_bit_for_bit(tmp_path, name, order):
    model = estimate(corpus(order), order)
    write_arpa(model, tmp_path / name)
    again = read_arpa(tmp_path / name)
    assert again.tokens == model.tokens
    assert arrays(again) == arrays(model)
    write_arpa(again, tmp_path / f"again-{name}")
    assert (tmp_path / f"again-{name}").read_bytes() == (tmp_path / name).read_bytes()
    if name.endswith(".gz"):
        assert (tmp_path / name).read_bytes()[3:8] == bytes(5)  # neither a name nor the time
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, f"again-{name}"])


def test_a_gzipped_file_is_known_by_its_bytes(tmp_path):
    (tmp_path / "model.arpa").write_bytes(gzip.compress(SMALL.encode()))
    assert read_arpa(tmp_path / "model.arpa").counts == (5, 3)


def test_small_file_number_by_number(tmp_path):
    (tmp_path / "a").write_text(SMALL)
    model = read_arpa(tmp_path / "a")
    assert model.score(["a", "b"]).tolist() == [-0.25, -0.5, -0.5]
    assert model.score(["b", "a"]).tolist() == [-1.5, -0.75, -0.125]
    assert model.score(["a", "a"], bos=False, eos=False).tolist() == [-0.75, -1.0]


def test_blanks_as_tokens(tmp_path):
    sentences = ["to be", "to\tdo", "a\rb", "\x0bc\x0c\x00"]
    model = estimate(sentences, 3)
    write_arpa(model, tmp_path / "a")
    assert "<U+0020> b e" in (tmp_path / "a").read_text()
    again = read_arpa(tmp_path / "a")
    assert again.tokens == model.tokens
    assert again.score("to be").tolist() == model.score("to be").tolist()


@pytest.mark.parametrize("token", ["a b", "tab\there", "<U+0020>", "\ud800"])
def test_tokens_that_no_file_can_hold(tmp_path, token):
    with pytest.raises(UserError, match=r"cannot be written"):
        write_arpa(estimate([[token, "b"]], 2), tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_tokens_that_only_look_dangerous(tmp_path):
    model = estimate([["\\end\\", "<U+0041>", "-0.5", "\\2-grams:", "<U+0001>"]], 2)
    write_arpa(model, tmp_path / "a")
    assert arrays(read_arpa(tmp_path / "a")) == arrays(model)
    assert read_arpa(tmp_path / "a").tokens == model.tokens


def test_a_file_without_unk(tmp_path):
    (tmp_path / "a").write_text(SMALL.replace("ngram 1=5", "ngram 1=4").replace("-1.5\t<unk>\n", ""))
    model = read_arpa(tmp_path / "a")
    assert model.score(["zebra"], bos=False, eos=False).tolist() == [-100.0]
    assert model.score(["a", "b"]).tolist() == [-0.25, -0.5, -0.5]


def test_order_of_the_lines_and_their_blanks_do_not_matter(tmp_path):
    head, one, two, end = SMALL.replace("\t", " ").replace("\n", "\r\n").split("\r\n\r\n")
    one = "\r\n".join([one.splitlines()[0], *reversed(one.splitlines()[1:])])
    two = "\r\n".join([two.splitlines()[0], *reversed(two.splitlines()[1:])])
    (tmp_path / "a").write_text("\r\n\r\n".join([head, one, two, end]))
    (tmp_path / "b").write_text(SMALL)
    a, b = read_arpa(tmp_path / "a"), read_arpa(tmp_path / "b")
    assert a.counts == b.counts
    np.testing.assert_array_equal(a.score(["a", "b", "c", "a"]), b.score(["a", "b", "c", "a"]))


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        (SMALL, "", 0, "cut short"),
        ("\\data\\", "data", 2, "begins with"),
        ("ngram 1=5", "1=5", 3, "ngram 1="),
        ("ngram 2=3", "ngram 3=3", 4, "number of 2-grams"),
        ("\\1-grams:", "\\unigrams:", 6, "1-grams: is expected"),
        ("-0.75\ta\t-0.25", "x\ta\t-0.25", 10, "'x' is not the log10 of a probability"),
        ("-0.75\ta\t-0.25", "0.75\ta\t-0.25", 10, "'0.75' is not the log10 of a probability"),
        ("-0.75\ta\t-0.25", "nan\ta\t-0.25", 10, "'nan' is not"),
        ("-0.75\ta\t-0.25", "-0.75\ta\tinf", 10, "'inf' is not the log10 of a back-off weight"),
        ("-0.75\ta\t-0.25", "-0.75", 10, "1 tokens"),
        ("-0.75\ta\t-0.25", "-0.75\ta b\t-0.25", 10, "1 tokens"),
        ("-0.75\ta\t-0.25", "-0.75\t</s>\t-0.25", 10, "twice"),
        ("-1\tb\t0\n", "", 11, "fewer 1-grams"),
        ("-1\tb\t0\n", "-1\tb\t0\n-1\tc\t0\n", 12, "more 1-grams than the 5"),
        ("</s>\n-0.75", "<eos>\n-0.75", 11, "</s> is not among the 1-grams"),
        ("-0.5\ta b", "-0.5\ta c", 15, "'c' is not among the 1-grams"),
        ("-0.5\ta b", "-0.5\ta b -0.1", 15, "no back-off weights"),
        ("-0.5\ta b", "-0.5\t<s> a", 15, "twice"),
        ("-0.125\ta </s>\n\n\\end\\\n", "-0.125\ta </s>\n", 16, "cut short"),
        ("-0.125\ta </s>\n\n\\end\\\n", "-0.125", 16, "2 tokens"),
        ("-0.125\ta </s>\n\n\\end\\\n", "", 16, "cut short"),
        ("\\end\\", "\\3-grams:", 18, "end"),
        ("ngram 2=3", "ngram 2=999999999999", 17, "fewer 2-grams"),
    ],
)
def test_a_broken_file_is_told_with_its_line(tmp_path, old, new, line, words):
    assert SMALL.count(old) == 1
    (tmp_path / "a.arpa").write_text(SMALL.replace(old, new))
    with pytest.raises(UserError) as caught:
        read_arpa(tmp_path / "a.arpa")
    message = str(caught.value)
    assert "a.arpa" in message
    assert words in message
    assert f"line {line}:" in message


def test_a_context_that_is_missing(tmp_path):
    text = SMALL.replace("ngram 2=3", "ngram 2=3\nngram 3=1").replace("\\end\\", "\\3-grams:\n-1\tb a b\n\n\\end\\")
    (tmp_path / "a").write_text(text)
    with pytest.raises(UserError, match="line 20: the context"):
        read_arpa(tmp_path / "a")


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "a").write_bytes(SMALL.encode().replace(b"-1\tb", b"-1\t\xff"))
    with pytest.raises(UserError, match=r"line 11: .*not UTF-8"):
        read_arpa(tmp_path / "a")


def test_files_that_cannot_be_read_or_written(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        read_arpa(tmp_path / "nowhere")
    with pytest.raises(UserError, match="cannot be read"):
        read_arpa(tmp_path)
    write_arpa(estimate(corpus(0), 3), tmp_path / "a.gz")
    (tmp_path / "b.gz").write_bytes((tmp_path / "a.gz").read_bytes()[:-200])
    with pytest.raises(UserError, match=r"b.gz cannot be read after line \d"):
        read_arpa(tmp_path / "b.gz")
    with pytest.raises(UserError, match="cannot be written"):
        write_arpa(estimate(corpus(0), 1), tmp_path / "no" / "folder")


def test_a_file_in_place_of_a_folder_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        write_arpa(estimate([["a"]], 1), tmp_path / "file" / "model.arpa")
