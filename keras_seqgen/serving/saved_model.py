"""A trained network as a SavedModel that TensorFlow Serving can load."""

import json

from keras_seqgen.decoding.line_writer import MAX_CHARACTERS
from keras_seqgen.serving.signatures import HandwritingSignatures
from keras_seqgen.serving.version_writer import write_version


def export_handwriting(model, vocabulary, mean, std, folder, card, max_characters=MAX_CHARACTERS):
    """Write `folder/<version>/`: the SavedModel, and what a person or a program must know about it.

        saved_model.pb, variables/, ...     signatures generate (the default), generate_primed, score, step
        README.md                           the model card: `card`, then the alphabet and the signatures
        assets.extra/vocabulary.json, assets.extra/stats.json

    The version is made aside and renamed when it is whole: a server that watches the folder never meets half of one.
    Its number is one above the greatest in the folder.

    Args:
        model: of `models.handwriting_synthesis`, trained.
        vocabulary: `data.vocabulary.Vocabulary` of single characters.
        mean, std: (2,), of the training split's offsets in raw units.
        folder: `saved_models/NAME`; made if it does not exist.
        card: Markdown: the data and its terms, the numbers reached, what the model is for.
        max_characters: the longest text, its primer's text included.

    Returns:
        The `Path` of the version.

    Raises:
        ValueError: a token of the vocabulary is not a single character, or the card is empty.
    """
    module, signatures = HandwritingSignatures(model, vocabulary, mean, std, max_characters).trace()
    offsets = {"mean": [float(x) for x in mean], "std": [float(x) for x in std]}
    stats = json.dumps({"offsets": offsets, "max_characters": max_characters}, indent=1) + "\n"
    extra = {
        "model.json": json.dumps({"system": "handwriting"}) + "\n",
        "vocabulary.json": vocabulary.to_json(),
        "stats.json": stats,
    }
    if card.strip():
        alphabet = "".join(vocabulary.tokens)
        card = f"{card.rstrip()}\n\n## Alphabet\n\n{len(vocabulary)} characters:\n\n```text\n{alphabet}\n```\n"
    return write_version(folder, module, signatures, card, extra)
