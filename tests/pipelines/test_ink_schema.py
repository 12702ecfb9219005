"""`--validate-against`: new data against the schema of old ones."""

import json

import numpy as np
import pytest
from ink_corpora import line_xml, prepare, stats, write_corpus, write_form

from pipelines.ink_schema import Rules


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    root = tmp_path_factory.mktemp("known")
    write_corpus(root / "iam")
    assert prepare("--input", root / "iam", "--output", root / "out") == 0
    return root / "out" / "schema.pbtxt"


def check(schema, root, tmp_path):
    code = prepare(
        "--input", root, "--output", tmp_path / "out", "--hash-split", 100, 0, 0, "--validate-against", schema
    )
    return code, stats(tmp_path / "out")["anomalies"]


def test_data_of_the_same_kind_pass(schema, tmp_path):
    root = write_corpus(tmp_path / "iam", lists=False)
    assert check(schema, root, tmp_path) == (0, {})


def test_unknown_characters(schema, tmp_path, capsys):
    write_form(tmp_path / "iam", "z00-000", ["line 1 of 2", "line \u00e9", "line \u00e9!"])
    code, anomalies = check(schema, tmp_path / "iam", tmp_path)
    assert code == 1
    assert anomalies == {"unknown character: '!' (U+0021)": 1, "unknown character: '\u00e9' (U+00E9)": 2}
    assert "unknown character: '!'" in capsys.readouterr().err
    letters = [
        json.loads(line) for path in (tmp_path / "out").glob("anomalies-*") for line in path.read_text().splitlines()
    ]
    assert sorted(letter["name"] for letter in letters) == ["z00-000-02", "z00-000-03", "z00-000-03"]


def test_another_unit_and_another_rate(schema, tmp_path):
    write_form(tmp_path / "iam", "z00-000", ["line 1 of 2", "line 2 of 2"], scale=120.0)
    code, anomalies = check(schema, tmp_path / "iam", tmp_path)
    assert code == 1
    assert anomalies["out of range: mean_step"] == 2


def test_length_out_of_range(schema, tmp_path):
    (path,) = write_form(tmp_path / "iam", "z00-000", ["line 1 of 2"])
    path.write_text(line_xml(np.random.default_rng(0), points=1000))
    code, anomalies = check(schema, tmp_path / "iam", tmp_path)
    assert code == 1
    assert {"out of range: length", "out of range: points_per_character"} <= anomalies.keys()


def test_missing_features_and_too_many_dead_letters(schema, tmp_path):
    write_form(tmp_path / "iam", "z00-000", ["line 1 of 2", "", "line 2 of 2"])
    code, anomalies = check(schema, tmp_path / "iam", tmp_path)
    assert code == 1
    assert anomalies == {"missing feature: text": 1, "out of range: dead_letter_rate": 1}


def test_a_missing_writer_where_all_had_one(tmp_path):
    for name, head in {"old": '<annotation type="writer">w</annotation>', "new": ""}.items():
        (tmp_path / name).mkdir()
        ink = f'<ink>{head}<annotation type="truth">abc</annotation><trace>0 0, 3 4, 6 8</trace></ink>'
        (tmp_path / name / "a.inkml").write_text(ink)
    flags = ["--format", "inkml", "--hash-split", 100, 0, 0]
    assert prepare(*flags, "--input", tmp_path / "old", "--output", tmp_path / "p") == 0
    schema = tmp_path / "p" / "schema.pbtxt"
    assert prepare(*flags, "--input", tmp_path / "old", "--output", tmp_path / "q", "--validate-against", schema) == 0
    assert prepare(*flags, "--input", tmp_path / "new", "--output", tmp_path / "q", "--validate-against", schema) == 1
    assert stats(tmp_path / "q")["anomalies"] == {"missing feature: writer": 1}


@pytest.mark.parametrize("text", ["not a schema {", 'feature { name: "other" }', ""])
def test_a_schema_that_is_none(text):
    with pytest.raises(ValueError, match="not a schema"):
        Rules.from_text(text)
