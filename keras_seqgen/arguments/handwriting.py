"""Arguments of `keras-seqgen write`."""

from keras_seqgen.arguments.form import add_command, add_json


def seeds(text: str) -> list[int]:
    """Numbers with commas between them."""
    return [int(number) for number in text.split(",")]


def write(commands):
    command = add_command(
        commands,
        "write",
        "handwriting:write",
        "write a text by hand with an exported model",
        """
"a line of ink" -o line.svg
"a line of ink" "and the next" --bias 0.5 --seed 7 -o page.pdf
"by a server" --server localhost:8501 -o line.svg
"as clear as can be" --best-of 8 -o line.svg
"in my own hand" --prime sample.inkml --prime-text "what the sample says" -o line.png
""",
    )
    command.add_argument("text", nargs="+", metavar="TEXT", help="a line; several lines make a page")
    command.add_argument("--model", metavar="FOLDER", help="an exported model (default: what saved_models/ holds)")
    command.add_argument("--server", metavar="HOST", help="ask a server (`serve`); --model is its name for the model")
    command.add_argument("-o", "--output", required=True, metavar="FILE", help="ends in .svg, .png, .pdf or .json")
    command.add_argument("--bias", type=float, default=1.0, metavar="B", help="0: as varied as the data; more: neater")
    command.add_argument(
        "--seed", type=seeds, default=[0], metavar="N[,N]", help="another number, another sample; or one for each line"
    )
    command.add_argument("--best-of", type=int, metavar="N", help="draw each line N times, keep what reads best")
    command.add_argument("--reader", metavar="FOLDER", help="--best-of: a model of ink-recognition, in this process")
    command.add_argument("--prime", metavar="INK", help="a file of one line of ink whose hand is to be taken up")
    command.add_argument("--prime-text", metavar="TEXT", help="what the ink says (default: as the file tells)")
    command.add_argument("--replace", metavar="CHARACTER", help="stands for characters that the model does not know")
    add_json(command)
