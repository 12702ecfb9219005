"""Bodies of requests that nobody meant, and what every answer to one must be."""

import json

from hypothesis import strategies as st

NAMES = st.sampled_from(["text", "bias", "seed", "b64", "points", "", "state", "é"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
NEARLY_ROWS = st.fixed_dictionaries(
    {"text": st.text(max_size=3) | VALUES, "bias": st.floats(0, 3) | VALUES, "seed": st.just([1, 2]) | VALUES}
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": st.sampled_from(["", "generate", "step", "score", "scribble"]) | VALUES,
        "instances": st.lists(NEARLY_ROWS, max_size=3) | VALUES,
        "inputs": NEARLY_ROWS | VALUES,
    },
)


def check_answer(status, body):
    """It is one of TensorFlow Serving's two forms, and no fault of the server's."""
    content = json.loads(body)
    assert status in (200, 400), content
    if status == 400:
        assert content.keys() == {"error"}
        assert content["error"]
    else:
        assert len(content) == 1
        assert content.keys() <= {"predictions", "outputs"}
