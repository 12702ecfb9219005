"""The network alone, the CRF after it, and both trained end to end: numbers and pictures on the same images.

python -m benchmarks.segmentation --data prepared/camvid --fcn runs/fcn
python -m benchmarks.segmentation --data prepared/camvid --fcn runs/fcn --crf-rnn runs/crf-rnn [--picture out.png]

The CRF after the network is chosen on the validation split, among the published settings, those of the run that is
trained end to end, or else of its recipe, and others drawn at random; the first command stops there. Mean IU of all
pixels and near boundaries, with 95 % intervals over the images, and the differences in pairs.
"""

import argparse
import json
import random
import sys

import numpy as np

from keras_seqgen.commands.quiet import import_tensorflow

CHOICES = {
    "theta_alpha": (40.0, 80.0, 160.0, 320.0),
    "theta_beta": (3.0, 8.0, 13.0, 20.0, 30.0, 50.0),
    "theta_gamma": (1.0, 2.0, 3.0),
    "spatial_weight": (0.0, 0.5, 1.0, 2.0, 3.0),
    "bilateral_weight": (0.5, 1.0, 2.0, 4.0, 5.0),
}
PUBLISHED = {
    "theta_alpha": 160.0,
    "theta_beta": 3.0,
    "theta_gamma": 3.0,
    "spatial_weight": 3.0,
    "bilateral_weight": 5.0,
}


def settings(count, own):
    """The published settings and those of a recipe, then others drawn with a fixed seed."""
    draw = random.Random(0)
    others = [{name: draw.choice(values) for name, values in CHOICES.items()} for _ in range(count - 2)]
    return [PUBLISHED, {name: getattr(own, name) for name in CHOICES}, *others]


def choose(model, batches, classes, tries, iterations):
    """The one of `tries`, settings of a CRF after a network, with the highest mean IU; and the mean IU of all."""
    from keras_seqgen.models.segmenter import crf_of
    from keras_seqgen.training.segmentation_scores import score

    tf = import_tensorflow()
    known = [(inputs["image"], model(inputs, training=False), truth, weight) for inputs, truth, weight in batches]
    tried = []
    for setting in tries:
        crf = crf_of(classes, iterations, **setting)
        label = tf.function(lambda logits, image, crf=crf: tf.argmax(crf([logits, image]), -1, tf.int32))
        # The labels stand in for the pictures: `score` only hands them on.
        found = [({"image": label(logits, image)}, truth, weight) for image, logits, truth, weight in known]
        tried.append({**setting, "mean_iu": score(lambda labels: labels, found, classes, ()).mean_iu})
        print(f"{len(tried)} of {len(tries)}: {tried[-1]}", file=sys.stderr)
    best = max(tried, key=lambda one: one["mean_iu"])
    return {name: value for name, value in best.items() if name != "mean_iu"}, tried


def draw(path, batches, labellers, labels, numbers):
    """The comparison picture of some images."""
    from keras_seqgen.viz.segmentation import label_colours, save_comparison

    colours, rows = label_colours(labels), []
    pictures = [(x["image"][:1], y[:1], w[:1]) for x, y, w in batches.unbatch().batch(1)]
    for image, truth, weight in (pictures[number] for number in numbers):
        known = colours[truth.numpy()[0]] * (weight.numpy()[0] > 0)[..., None]
        found = [colours[np.asarray(label(image))[0]] for label in labellers.values()]
        rows.append([image.numpy()[0].astype(np.uint8), known, *found])
    save_comparison(path, rows, ["image", "truth", *labellers])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="a prepared folder")
    parser.add_argument("--fcn", help="a run without a CRF")
    parser.add_argument("--crf-rnn", help="a run with one, begun from that")
    parser.add_argument("--split", default="test")
    parser.add_argument("--settings", type=int, default=24, help="how many to choose among (default: 24)")
    parser.add_argument("--every", type=int, default=3, help="choose by every Nth image of `valid` (default: 3)")
    parser.add_argument("--picture", help="where to draw results side by side")
    parser.add_argument("--images", type=int, nargs="+", default=[3, 40, 75], help="numbers of the images to draw")
    given = parser.parse_args()
    if not (given.data and given.fcn):
        print(json.dumps({"skipped": "needs --data and --fcn: a trained run"}))
        return

    from keras_seqgen.commands.segmentation import labeller, model_of
    from keras_seqgen.recipes import RECIPES, load_recipe
    from keras_seqgen.recipes.segmentation import labels_of
    from keras_seqgen.training.segmentation_scores import score

    fcn = load_recipe(given.fcn)[1]
    labels, iterations = labels_of(given.fcn), fcn.test_iterations
    network = model_of(given.fcn, fcn)
    valid = fcn.evaluation_batches(given.data, "valid").unbatch().shard(given.every, 0).batch(1)
    end_to_end = load_recipe(given.crf_rnn)[1] if given.crf_rnn else RECIPES["segmentation-crf-rnn"]
    chosen, tried = choose(network, valid, labels.count, settings(given.settings, end_to_end), iterations)
    if not given.crf_rnn:
        print(json.dumps({"crf_after": {**chosen, "iterations": iterations}, "tried_on_valid": tried}, indent=1))
        return
    labellers = {
        "FCN": labeller(network),
        "FCN, then CRF": labeller(model_of(given.fcn, fcn, {**chosen, "iterations": iterations})),
        "CRF-RNN end to end": labeller(model_of(given.crf_rnn, end_to_end)),
    }
    batches = fcn.evaluation_batches(given.data, given.split)
    scores = {name: score(label, batches, labels.count) for name, label in labellers.items()}
    alone, after, trained = scores.values()
    results = {
        "split": given.split,
        "crf_after": {**chosen, "iterations": iterations},
        "tried_on_valid": tried,
        "numbers": {name: one.report(labels) for name, one in scores.items()},
        "differences": {
            "FCN, then CRF - FCN": after.differences(alone),
            "end to end - FCN, then CRF": trained.differences(after),
            "end to end - FCN": trained.differences(alone),
        },
    }
    if given.picture:
        draw(given.picture, batches, labellers, labels, given.images)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
