"""Arguments of `keras-seqgen detect`."""

from keras_seqgen.arguments.form import add_command, add_json


def detect(commands):
    command = add_command(
        commands,
        "detect",
        "script_detection:detect",
        "find the Arabic, the Latin and the garbage on pictures of lines with an exported model",
        """
line.png
*.png --model saved_models/script-detection --json
""",
    )
    command.add_argument("image", nargs="+", metavar="IMAGE", help="PNG or JPEG of a line")
    command.add_argument("--model", metavar="FOLDER", help="an exported model (default: what saved_models/ holds)")
    add_json(command)
