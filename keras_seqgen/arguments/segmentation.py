"""Arguments of `keras-seqgen segment`."""

from keras_seqgen.arguments.form import add_command, add_json


def segment(commands):
    command = add_command(
        commands,
        "segment",
        "segmentation:segment",
        "label each pixel of pictures with an exported model, or sharpen a network's own labels with the CRF",
        """
photo.jpg -o labelled
*.png --model saved_models/segmentation --strength 0.7 -o labelled
photo.jpg --logits logits.npy --theta-alpha 80 --iterations 10 -o labelled
""",
    )
    add = command.add_argument
    add("image", nargs="+", metavar="IMAGE", help="JPEG, PNG, BMP or GIF")
    add("--model", metavar="FOLDER", help="an exported model (default: what saved_models/ holds)")
    add("-o", "--output", default=".", metavar="FOLDER", help="for NAME.labels.png and NAME.overlay.png (default: .)")
    add("--no-overlay", action="store_true", help="write the labels alone")
    add("--strength", type=float, default=0.5, metavar="A", help="of the colours in the overlay, 0 to 1 (default: 0.5)")
    add("--probabilities", action="store_true", help="write NAME.probabilities.npy, (height, width, labels), too")
    crf = command.add_argument_group("the CRF alone, over another network's results for one picture")
    add = crf.add_argument
    add("--logits", metavar="FILE", help=".npy of logits or probabilities, (height, width, labels)")
    add("--labels", metavar="FILE", help="labels.json with names and colours")
    add("--iterations", type=int, metavar="T", help="mean-field steps (default: 10)")
    add("--theta-alpha", type=float, metavar="P", help="reach of like colours, pixels (default: 160)")
    add("--theta-beta", type=float, metavar="C", help="which colours are alike, of 255 (default: 3)")
    add("--theta-gamma", type=float, metavar="P", help="reach of any colours, pixels (default: 3)")
    add("--spatial-weight", type=float, metavar="W", help="of near pixels (default: 3)")
    add("--bilateral-weight", type=float, metavar="W", help="of near pixels of like colours (default: 5)")
    add_json(command)
