"""A trained language model as a SavedModel that TensorFlow Serving can load."""

import json

from keras_seqgen.serving.text_signatures import TextSignatures
from keras_seqgen.serving.version_writer import write_version

_SHOWN = 20  # words of a vocabulary that a card names


def export_text(model, vocabulary, folder, card):
    """Write the next version of a SavedModel that writes and scores text (`version_writer.write_version`).

        signatures generate (the default), score, step
        README.md                           the model card: `card`, then the vocabulary and the signatures
        assets.extra/vocabulary.json, assets.extra/model.json

    Args:
        model: of `models.language_model`, trained, with or without carried state and noise, which are left out.
        vocabulary: `data.vocabulary.Vocabulary` of the model.
        folder: `saved_models/NAME`; made if it does not exist.
        card: Markdown: the data and its terms, the numbers reached, what the model is for.

    Returns:
        The `Path` of the version.

    Raises:
        UserError: the model and the vocabulary have different numbers of tokens.
        ValueError: the card is empty.
    """
    module, signatures = TextSignatures(model, vocabulary).trace()
    card = f"{card.rstrip()}\n\n{_describe(vocabulary)}" if card.strip() else card
    extra = {"model.json": json.dumps({"system": "text"}) + "\n", "vocabulary.json": vocabulary.to_json()}
    return write_version(folder, module, signatures, card, extra)


def _describe(vocabulary):
    """The part of the card about the vocabulary."""
    count = f"{len(vocabulary)} {vocabulary.kind}s"
    if vocabulary.kind == "word":
        some = " ".join(vocabulary.tokens[:_SHOWN])
        return f"## Vocabulary\n\n{count}: {some}{' ...' if len(vocabulary) > _SHOWN else ''}\n"
    return f"## Vocabulary\n\n{count}:\n\n```text\n{''.join(vocabulary.tokens)!r}\n```\n"
