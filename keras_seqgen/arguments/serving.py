"""Arguments of `keras-seqgen serve`."""

from keras_seqgen.arguments.form import add_command, add_json


def serve(commands):
    command = add_command(
        commands,
        "serve",
        "server:serve",
        "serve exported models on this machine as TensorFlow Serving would (gRPC and REST), for development",
        """
saved_models/
saved_models/ --port 9500 --rest-port 9501
""",
    )
    add = command.add_argument
    add("folder", metavar="FOLDER", help="saved_models/: a folder of exported models")
    add(
        "--host", default="127.0.0.1", metavar="H", help="address to listen on (default: 127.0.0.1, this machine alone)"
    )
    add("--port", type=int, default=8500, metavar="P", help="of gRPC (default: 8500); 0: any")
    add("--rest-port", type=int, default=8501, metavar="Q", help="of HTTP (default: 8501); 0: any")
    add("--max-bytes", type=int, default=16 * 2**20, metavar="N", help="of one request (default: 16 MiB)")
    add("--max-rows", type=int, default=256, metavar="N", help="of one request (default: 256)")
    add("--max-points", type=int, default=100_000, metavar="N", help="that a row may ask for (default: 100000)")
    add("--max-requests", type=int, default=256, metavar="N", help="at a time; one more is refused (default: 256)")
    add("--workers", type=int, default=4, metavar="N", help="requests that run at a time (default: 4)")
    add("--poll-seconds", type=float, default=2.0, metavar="S", help="between looks for new versions (default: 2)")
    add("--grace", type=float, default=10.0, metavar="S", help="for requests that run at the stop (default: 10)")
    add_json(command)
