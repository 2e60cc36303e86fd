"""Start: announce, load what is slow, serve, say why it ended.

Absolute imports throughout, because freezers run this file as a plain script.
"""

import sys

from tonelens_analyzer import __version__
from tonelens_analyzer.wire import Wire

NAME = "tonelens-analyzer"


def main() -> int:
    if sys.argv[1:] == ["--version"]:
        print(f"{NAME} {__version__}")
        return 0
    if sys.argv[1:]:
        print(f"usage: {NAME} [--version]", file=sys.stderr)
        return 2

    # Listening starts before the slow imports: a signal or a closed stdin that
    # arrives meanwhile is not lost.
    wire = Wire.open()
    wire.say(f"BOOT sidecar={NAME} version={__version__}")
    from tonelens_analyzer.methods import METHODS

    wire.say("READY")
    reason = wire.serve(METHODS)
    wire.say(f"SHUTDOWN reason={reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
