"""One fixture per format, written here, then hostile ones."""

import contextlib
import gzip
import io
import json
import pickle
import random
import tarfile
import zipfile

import numpy as np
import pytest

from keras_seqgen.data import stroke3
from keras_seqgen.data.iam_ondb import read_strokes, read_transcription
from keras_seqgen.data.ink_formats import READERS, read_ink
from keras_seqgen.data.ink_records import BadRecord, RawLine, check_trace
from keras_seqgen.data.strokes import Trace
from keras_seqgen.errors import UserError

IAM = b"""<?xml version="1.0" encoding="ISO-8859-1"?>
<WhiteboardCaptureSession><WhiteboardDescription><SensorLocation corner="top_left"/></WhiteboardDescription><StrokeSet>
<Stroke colour="black" start_time="1.00"><Point x="10" y="20" time="1.00"/><Point x="13" y="24" time="1.02"/></Stroke>
<Stroke colour="black"></Stroke>
<Stroke colour="black" start_time="2.00" end_time="2.00"><Point x="50" y="20" time="2.00"/></Stroke>
</StrokeSet></WhiteboardCaptureSession>"""

INKML = """<ink xmlns="http://www.w3.org/2003/InkML"><annotation type="writer">w7</annotation>
<annotation type="truth">caf\u00e9</annotation>
<traceFormat><channel name="X"/><channel name="Y" orientation="-ve"/><channel name="T" units="ms"/></traceFormat>
<trace>1 2 0, 3 5 10</trace><trace type="penUp">0 0 0</trace><trace>9 9 30, 10 8 40</trace></ink>""".encode()

UNIPEN = b""".VERSION 1.0
.COORD X Y T
.WRITER_ID anna k
.SEGMENT LINE 0-2 OK "two strokes"
.SEGMENT WORD 0 OK "two"
.SEGMENT LINE 3:1-3:2 ? "a \\"part\\""
.SEGMENT LINE 7-9 OK "beyond"
.PEN_DOWN
1 10 0
2 12 10
.PEN_UP
5 5 20
.PEN_DOWN
9 9 30
8 8 40
.PEN_DOWN
0 0 50
1 1 60
2 2 70
"""

SVG = b"""<svg xmlns="http://www.w3.org/2000/svg"><title>hi</title><defs><path d="M0 0L9 9"/></defs>
<g transform="translate(10,0)"><path d="M0 0 L 4 3 M 10 10 C 20 10 20 20 10 20"/></g>
<polyline points="0,0 5,5 10,0"/><polygon points="0,0 1,0 1,1"/><line x1="1" y1="2" x2="3" y2="4"/></svg>"""

QUICKDRAW = b"\n".join(
    [
        json.dumps({"word": "cat", "key_id": "77", "drawing": [[[0, 3, 9], [1, 5, 5]], [[20, 21], [0, 9]]]}).encode(),
        b"{broken",
        b"",
        json.dumps({"word": "dog", "key_id": "78", "drawing": [[[0, 3], [1, 5], [0, 16]]]}).encode(),
        json.dumps({"word": "dog", "drawing": [[[0, 3], [1]]]}).encode(),
        b'{"drawing": [[[1e999, 2], [3, 4]]]}',
    ]
)


def npz(**arrays):
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)
    return data.getvalue()


def sketches(*lengths):
    drawings = np.empty(len(lengths), object)
    for i, length in enumerate(lengths):
        drawings[i] = np.full((length, 3), (2, 1, 0), np.int16)
    return drawings


def use(kind, data):
    """Reads and checks everything; a bad record is raised as an error."""
    for record in READERS[kind](data, "h"):
        if isinstance(record, BadRecord):
            raise UserError(record.detail)
        check_trace(record.trace)


def only(records):
    (record,) = records
    assert isinstance(record, RawLine), record
    return record


def test_iam_ondb():
    trace = read_strokes(IAM)
    np.testing.assert_array_equal(trace.points, [(10, 20), (13, 24), (50, 20)])
    np.testing.assert_array_equal(trace.pen, [0, 1, 1])
    np.testing.assert_allclose(trace.time, [1.0, 1.02, 2.0])


def test_transcription():
    data = "OCR:\r\n\r\nprompt\r\n\r\nCSR: \r\n\r\n first \r\n\r\nthird caf\u00e9\r\n\r\n".encode("latin-1")
    assert read_transcription(data) == ["first", "", "third caf\u00e9"]
    assert read_transcription("CSR:\n\ncafe\u0301\n".encode()) == ["caf\u00e9"]
    with pytest.raises(UserError, match="CSR"):
        read_transcription(b"nothing of the kind")


def test_inkml():
    line = only(READERS["inkml"](INKML, "f"))
    assert (line.name, line.group, line.writer, line.text) == ("f", "w7", "w7", "caf\u00e9")
    np.testing.assert_array_equal(line.trace.points, [(1, -2), (3, -5), (9, -9), (10, -8)])
    np.testing.assert_array_equal(line.trace.pen, [0, 1, 0, 1])
    np.testing.assert_allclose(line.trace.time, [0, 0.01, 0.03, 0.04])


def test_inkml_compressed_points():
    data = b"<ink><trace>10 20, '3 '4, 2 2, \"1 \"0, !50 !60, * *</trace></ink>"
    line = only(READERS["inkml"](data, "f"))
    expected = [(10, 20), (13, 24), (15, 26), (18, 28), (50, 60), (50, 60)]
    np.testing.assert_array_equal(line.trace.points, expected)


def test_inkml_groups_with_texts_are_records():
    data = b"""<ink><trace xml:id="t0">0 0, 1 1</trace>
    <traceGroup><annotation type="transcription">one</annotation><trace>0 0, 5 5</trace></traceGroup>
    <traceGroup><annotation type="transcription">outer</annotation>
      <traceGroup><annotation type="transcription">two</annotation><traceView traceDataRef="#t0"/></traceGroup>
      <traceGroup><annotation type="transcription">three</annotation><trace>1 2 3</trace></traceGroup>
    </traceGroup></ink>"""
    one, two, three = READERS["inkml"](data, "f")
    assert (one.name, one.text) == ("f#0", "one")
    assert two.text == "two"
    np.testing.assert_array_equal(two.trace.points, [(0, 0), (1, 1)])
    assert isinstance(three, BadRecord)


def test_inkml_views_of_the_documents_own_traces_add_nothing():
    data = b"""<ink><annotation type="truth">x</annotation><trace id="0">0 0, 1 1</trace><trace id="1">5 5, 6 6</trace>
    <traceGroup xml:id="g"><annotation type="truth">Segmentation</annotation>
      <traceGroup><annotation type="truth">x</annotation>
        <traceView traceDataRef="1"/><traceView traceDataRef="0" from="2" to="2"/></traceGroup></traceGroup></ink>"""
    line = only(READERS["inkml"](data, "f"))
    np.testing.assert_array_equal(line.trace.points, [(0, 0), (1, 1), (5, 5), (6, 6)])
    np.testing.assert_array_equal(line.trace.pen, [0, 1, 0, 1])


def inkml_views(*groups):
    """A document with the group #g of the traces #s, 0..1, and #t, 2..6; a view #v of both, #w of the points 2..3 of
    #t, #a and #b of each other; each of `groups` is a record."""
    records = "".join(f'<traceGroup><annotation type="truth">x</annotation>{views}</traceGroup>' for views in groups)
    return f"""<ink><traceGroup xml:id="g"><trace xml:id="s">0 0, 1 0</trace>
    <traceGroup><trace xml:id="t">2 0, 3 0, 4 0, 5 0, 6 0</trace></traceGroup></traceGroup>
    <traceView xml:id="v" traceDataRef="#g"/><traceView xml:id="w" traceDataRef="#t" from="2" to="3"/>
    <traceView xml:id="a" traceDataRef="#b"/><traceView xml:id="b" traceDataRef="#a"/>{records}</ink>""".encode()


@pytest.mark.parametrize(
    ("views", "strokes"),
    [
        ('<traceView traceDataRef="#g"/>', [[0, 1], [2, 3, 4, 5, 6]]),
        ('<traceView traceDataRef="#t"/><traceView traceDataRef="#g"/>', [[2, 3, 4, 5, 6], [0, 1]]),
        ('<traceView><traceView traceDataRef="#v"/></traceView>', [[0, 1], [2, 3, 4, 5, 6]]),
        ('<traceView traceDataRef="#w"/>', [[3, 4]]),
        ('<traceView traceDataRef="#t" from="4"/>', [[5, 6]]),
        ('<traceView traceDataRef="#t" to=" 2 "/>', [[2, 3]]),
        ('<traceView traceDataRef="#t" to="1"/><traceView traceDataRef="#t" from="3" to="4"/>', [[2], [4, 5]]),
        ('<traceView traceDataRef="#t" from="3"/><traceView traceDataRef="#t" to="2"/>', [[2, 3, 4, 5, 6]]),
        ('<traceView traceDataRef="#t" from="3"/><traceView traceDataRef="#g"/>', [[2, 3, 4, 5, 6], [0, 1]]),
        ('<traceView traceDataRef="#a"/><traceView traceDataRef="#s"/>', [[0, 1]]),
    ],
)
def test_inkml_views_of_groups_of_views_and_of_stretches(views, strokes):
    line = only(READERS["inkml"](inkml_views(views), "f"))
    assert [stroke.tolist() for stroke in np.split(line.trace.points[:, 0], np.flatnonzero(line.trace.pen) + 1)] == [
        *strokes,
        [],
    ]


@pytest.mark.parametrize(
    "view",
    [
        'traceDataRef="#g" from="1:1"',
        'traceDataRef="#g" to="1"',
        'traceDataRef="#v" from="2"',
        'traceDataRef="#t" from="1:2"',
        'traceDataRef="#t" from="0"',
        'traceDataRef="#t" from="-1"',
        'traceDataRef="#t" to="6"',
        'traceDataRef="#t" from="4" to="3"',
        'traceDataRef="#nowhere"',
        'traceDataRef="other.inkml#t"',
    ],
)
def test_inkml_views_that_are_not_understood_are_bad_records(view):
    bad, good = READERS["inkml"](inkml_views(f"<traceView {view}/>", '<traceView traceDataRef="#s"/>'), "f")
    assert isinstance(bad, BadRecord)
    assert "traceView" in bad.detail
    assert len(good.trace.points) == 2


def test_inkml_views_of_views_do_not_multiply():
    doubled = '<traceGroup xml:id="u0"><trace>1 2, 3 4</trace></traceGroup>'
    for n in range(1, 2000):
        view = f'<traceView traceDataRef="#u{n - 1}"/>'
        doubled += f'<traceGroup xml:id="u{n}">{view}{view}</traceGroup>'
    data = inkml_views('<traceView traceDataRef="#u1999"/>').replace(b"<ink>", f"<ink>{doubled}".encode())
    np.testing.assert_array_equal(only(READERS["inkml"](data, "f")).trace.points, [(1, 2), (3, 4)])


def test_unipen():
    line, part, beyond = READERS["unipen"](UNIPEN, "u")
    assert (line.name, line.writer, line.group, line.text) == ("u#0", "anna k", "anna k", "two strokes")
    np.testing.assert_array_equal(line.trace.points, [(1, -10), (2, -12), (9, -9), (8, -8)])
    np.testing.assert_array_equal(line.trace.pen, [0, 1, 0, 1])
    np.testing.assert_allclose(line.trace.time, [0, 0.01, 0.03, 0.04])
    assert part.text == 'a "part"'
    np.testing.assert_array_equal(part.trace.points, [(1, -1), (2, -2)])
    assert isinstance(beyond, BadRecord)
    assert "the file has 4" in beyond.detail


def test_unipen_without_segments_is_one_record():
    line = only(READERS["unipen"](b".COORD X Y\n.PEN_DOWN\n1 2\n3 4\n", "u"))
    assert (line.name, line.text, line.trace.time) == ("u", "", None)


def test_quickdraw():
    cat, broken, dog, ragged, infinite = READERS["quickdraw"](QUICKDRAW, "q")
    assert (cat.name, cat.group, cat.text) == ("77", "77", "cat")
    np.testing.assert_array_equal(cat.trace.points, [(0, 1), (3, 5), (9, 5), (20, 0), (21, 9)])
    np.testing.assert_array_equal(cat.trace.pen, [0, 0, 1, 0, 1])
    assert cat.trace.time is None
    np.testing.assert_allclose(dog.trace.time, [0, 0.016])
    assert isinstance(broken, BadRecord)
    assert isinstance(ragged, BadRecord)
    with pytest.raises(UserError, match="not finite"):
        check_trace(infinite.trace)


def test_stroke3_flat_and_as_objects():
    flat = npz(train_strokes=np.array([(1, 2, 0), (3, 4, 1), (5, 6, 0)], np.int16), train_offset=np.array([0, 2, 3]))
    first, second = READERS["stroke3"](flat, "s")
    assert (first.name, first.split, first.text) == ("s/train/000000", "train", "")
    np.testing.assert_array_equal(first.trace.points, [(1, 2), (4, 6)])
    np.testing.assert_array_equal(first.trace.pen, [0, 1])
    np.testing.assert_array_equal(second.trace.pen, [1])
    records = list(READERS["stroke3"](npz(train=sketches(3, 4), valid=sketches(5)), "s"))
    assert [(record.split, len(record.trace.points)) for record in records] == [
        ("train", 3),
        ("train", 4),
        ("valid", 5),
    ]


def test_svg():
    line = only(READERS["svg"](SVG, "s"))
    assert line.text == "hi"
    ends = np.flatnonzero(line.trace.pen)
    assert len(ends) == 5
    np.testing.assert_array_equal(line.trace.points[: ends[0] + 1], [(10, 0), (14, 3)])
    curve = line.trace.points[ends[0] + 1 : ends[1] + 1]
    assert len(curve) > 20
    np.testing.assert_allclose(curve[[0, -1]], [(20, 10), (20, 20)])
    np.testing.assert_allclose(curve[:, 0].max(), 27.5, atol=0.05)  # the middle of the Bezier curve
    np.testing.assert_array_equal(line.trace.points[ends[1] + 1 : ends[2] + 1], [(0, 0), (5, 5), (10, 0)])
    np.testing.assert_array_equal(line.trace.points[ends[2] + 1 : ends[3] + 1], [(0, 0), (1, 0), (1, 1), (0, 0)])


def test_svg_transforms_nest():
    data = b'<svg><g transform="translate(10,0)"><path transform="scale(2)" d="M1 1L2 3"/></g></svg>'
    np.testing.assert_allclose(only(READERS["svg"](data, "s")).trace.points, [(12, 2), (14, 6)])


def test_read_ink_unpacks_what_is_gzipped(tmp_path):
    packed = gzip.compress(QUICKDRAW)
    (tmp_path / "q.ndjson.gz").write_bytes(packed)
    plain = list(READERS["quickdraw"](QUICKDRAW, "q"))
    assert [type(record) for record in read_ink(tmp_path / "q.ndjson.gz")] == [type(record) for record in plain]
    for damaged in (packed[:-9], packed[:20] + b"\xff" * 20 + packed[40:]):
        (tmp_path / "q.ndjson.gz").write_bytes(damaged)
        with pytest.raises(UserError, match="cannot be unpacked"):
            read_ink(tmp_path / "q.ndjson.gz")


def test_read_ink_by_ending(tmp_path):
    (tmp_path / "a.svg").write_bytes(SVG)
    assert only(read_ink(tmp_path / "a.svg")).name == "a"
    (tmp_path / "a.docx").write_bytes(b"")
    with pytest.raises(UserError, match="no known ink file"):
        read_ink(tmp_path / "a.docx")
    with pytest.raises(UserError, match="cannot read"):
        read_ink(tmp_path / "missing.svg")


LAUGHS = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10 if i else "ha"}">' for i in range(10))
SECRET = '<!ENTITY x SYSTEM "file:///etc/hostname">'
HOSTILE_XML = {
    "laughs": "<!DOCTYPE {0} [" + LAUGHS + "]><{0}><trace>&a9;</trace></{0}>",
    "secret": "<!DOCTYPE {0} [" + SECRET + "]><{0}><trace>&x;</trace></{0}>",
    "parameter": '<!DOCTYPE {0} [<!ENTITY % p SYSTEM "http://localhost:1/p"> %p;]><{0}/>',
    "encoding": '<?xml version="1.0" encoding="no-such"?><{0}/>',
    "truncated": "<{0}><trace>1 2, 3",
    "other root": "<html/>",
}


@pytest.mark.parametrize("kind", ["iam-ondb", "inkml", "svg"])
@pytest.mark.parametrize("attack", sorted(HOSTILE_XML))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_hostile_xml_is_refused(kind, attack, encoding):
    root = {"iam-ondb": "WhiteboardCaptureSession", "inkml": "ink", "svg": "svg"}[kind]
    data = HOSTILE_XML[attack].format(root).encode(encoding)
    with pytest.raises(UserError):
        use(kind, data)


def test_svg_doctype_alone_is_harmless_and_use_draws_nothing():
    data = b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://localhost:1/svg11.dtd"><svg xmlns:x="http://www.w3.org/1999/xlink">'
    uses = b"".join(b'<g id="u%d">%s</g>' % (i, b'<use x:href="#u%d"/>' % (i - 1) * 10) for i in range(1, 30))
    line = only(READERS["svg"](data + b'<path id="u0" d="M0 0L1 1"/>' + uses + b"</svg>", "s"))
    assert len(line.trace.points) == 2


def test_deep_nesting_does_not_exhaust_the_stack():
    deep = b"<g>" * 20_000 + b'<path d="M0 0L1 1"/>' + b"</g>" * 20_000
    assert len(only(READERS["svg"](b"<svg>" + deep + b"</svg>", "s")).trace.points) == 2
    (record,) = READERS["quickdraw"](b'{"drawing": ' + b"[" * 100_000, "q")
    assert isinstance(record, BadRecord)


def test_a_pickle_that_runs_a_program_is_refused():
    class Evil:
        def __reduce__(self):
            return (exec, ("raise SystemExit('ran')",))

    drawings = np.empty(1, object)
    drawings[0] = Evil()
    with pytest.raises(UserError, match="refused"):
        list(READERS["stroke3"](npz(train=drawings), "s"))


def test_an_array_whose_header_lies_is_refused():
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i2", "fortran_order": False, "shape": (10**12, 3)})
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("train_strokes.npy", header.getvalue() + b"\0" * 6)
        archive.writestr("train_offset.npy", header.getvalue())
    with pytest.raises(UserError, match="announces"):
        list(READERS["stroke3"](data.getvalue(), "s"))
    bomb = npz(train_strokes=np.zeros((100_000, 3), np.int16), train_offset=np.array([0, 100_000]))
    with pytest.raises(UserError, match="the limit is"):
        list(stroke3.read_stroke3(bomb, "s", limit=1000))


@pytest.mark.parametrize("offset", [[0, 9], [-1, 2], [2, 0], [0.0, 2.0]])
def test_offsets_that_point_outside_are_refused(offset):
    data = npz(train_strokes=np.zeros((3, 3), np.int16), train_offset=np.array(offset))
    with pytest.raises(UserError, match="offsets"):
        list(READERS["stroke3"](data, "s"))


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e300", "1" * 400])
def test_coordinates_that_are_no_numbers(value):
    for kind, data in {
        "iam-ondb": f'<S><Stroke><Point x="{value}" y="1"/><Point x="1" y="1"/></Stroke></S>',
        "inkml": f"<ink><trace>{value} 1, 1 1</trace></ink>",
        "unipen": f".COORD X Y\n.PEN_DOWN\n{value} 1\n1 1\n",
        "quickdraw": f'{{"drawing": [[[{value.replace("nan", "NaN").replace("inf", "Infinity")}, 1], [1, 1]]]}}',
    }.items():
        with pytest.raises(UserError):
            use(kind, data.encode())


def test_check_trace_counts_points():
    with pytest.raises(UserError, match="fewer than 2"):
        check_trace(Trace(np.zeros((1, 2)), np.ones(1)))
    with pytest.raises(UserError, match="the limit is 5"):
        check_trace(Trace(np.zeros((6, 2)), np.ones(6)), 5)


VALID = {
    "iam-ondb": IAM,
    "inkml": INKML,
    "unipen": UNIPEN,
    "svg": SVG,
    "quickdraw": QUICKDRAW,
    "stroke3": npz(train=sketches(3, 4), valid_strokes=np.zeros((3, 3), np.int16), valid_offset=np.array([0, 3])),
}


@pytest.mark.parametrize("kind", sorted(VALID))
def test_damaged_files_raise_ordinary_exceptions_only(kind):
    """Bytes changed, cut out and put in at random: a reader yields records or raises, and comes to an end."""
    rng = random.Random(kind)
    for _ in range(150):
        data = bytearray(VALID[kind])
        for _ in range(rng.randint(1, 8)):
            at = rng.randrange(len(data) + 1)
            choice = rng.randrange(3)
            if choice == 0:
                data[at : at + rng.randint(0, 40)] = b""
            elif choice == 1:
                data[at:at] = rng.randbytes(rng.randint(1, 20))
            elif at < len(data):
                data[at] = rng.randrange(256)
        records = []
        with contextlib.suppress(ValueError):
            records = list(READERS[kind](bytes(data), "r"))
        assert all(isinstance(record, RawLine | BadRecord) for record in records)


@pytest.mark.parametrize("kind", sorted(VALID))
@pytest.mark.parametrize(
    "data", [b"", b"\0" * 1000, b"\xff\xfe\x00", bytes(range(256)) * 4], ids=["empty", "zeros", "bom", "binary"]
)
def test_files_that_are_something_else(kind, data):
    try:
        records = list(READERS[kind](data, "r"))
    except ValueError:
        return
    assert all(isinstance(record, BadRecord) or len(record.trace.points) < 2 for record in records)


def test_pickles_within_an_array_stay_plain():
    data = pickle.dumps(sketches(2), protocol=2)
    assert stroke3._ArrayUnpickler(io.BytesIO(data)).load()[0].shape == (2, 3)


def test_the_real_sample(data):
    lines = points = 0
    with tarfile.open(data / "iam_ondb" / "raw_sample.tar.xz") as archive:
        for member in archive:
            if member.name.endswith(".xml"):
                trace = check_trace(read_strokes(archive.extractfile(member).read()))
                assert np.all(np.diff(trace.time) > -1e6)
                lines += 1
                points += len(trace.points)
            elif member.name.endswith(".txt"):
                assert read_transcription(archive.extractfile(member).read())
    assert lines > 200
    assert 400 < points / lines < 1000


def test_the_real_sketches(data):
    records = read_ink(data / "sketch" / "aaron_sheep.npz")
    assert len(records) == 8000
    assert {record.split for record in records} == {"train", "valid", "test"}
    assert all(isinstance(record, RawLine) for record in records)
