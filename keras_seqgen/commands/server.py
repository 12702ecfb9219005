"""`keras-seqgen serve`."""

import logging
import signal
import sys
import threading

from keras_seqgen.commands.data import print_json
from keras_seqgen.commands.quiet import import_tensorflow
from keras_seqgen.errors import UserError
from keras_seqgen.server.limits import RANGES, check_range


def serve(arguments) -> int:
    """Serves until it is told to stop (Ctrl-C, SIGTERM), and then lets running requests end."""
    for name in ("max_bytes", "max_rows", "max_points", "max_requests", "workers"):
        if not getattr(arguments, name) > 0:
            raise UserError(f"--{name.replace('_', '-')} must be positive. Received: {getattr(arguments, name)}")
    for name in RANGES:
        check_range(name, getattr(arguments, name), f"--{name.replace('_', '-')}")
    import_tensorflow()
    try:
        from keras_seqgen.server.limits import Limits
        from keras_seqgen.server.local_server import LocalServer
    except ModuleNotFoundError as error:
        raise UserError(f"serving needs {error.name}: pip install 'keras-seqgen[serving]'") from error
    logging.basicConfig(format="keras-seqgen serve: %(message)s", level=logging.WARNING)
    logging.getLogger("keras_seqgen.server").setLevel(logging.INFO)
    limits = Limits(
        request_bytes=arguments.max_bytes,
        rows=arguments.max_rows,
        points=arguments.max_points,
        requests=arguments.max_requests,
        workers=arguments.workers,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    server = LocalServer(
        arguments.folder,
        arguments.host,
        arguments.port,
        arguments.rest_port,
        limits,
        arguments.poll_seconds,
        arguments.grace,
    )
    with server:
        _tell(arguments, server)
        stop.wait()
    return 0


def _tell(arguments, server) -> None:
    models = {name: sorted(versions) for name, versions in server.store.models.items()}
    if arguments.json:
        print_json({"host": arguments.host, "port": server.port, "rest_port": server.rest_port, "models": models})
        sys.stdout.flush()
    where = f"http://{arguments.host}:{server.rest_port}, gRPC {arguments.host}:{server.port}"
    print(f"keras-seqgen serve: {where}. A stand-in for TensorFlow Serving; Ctrl-C stops it.", file=sys.stderr)
