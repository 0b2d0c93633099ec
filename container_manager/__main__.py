"""`python -m container_manager` and the `container-manager` command. Without arguments it serves."""

import sys

from .cli import exits
from .cli.parser import parse


def main() -> int:
    """Run the command of `sys.argv` and return its exit code. Every error is one line on stderr."""
    try:
        arguments = parse(sys.argv[1:])
        return int(arguments.run(arguments))
    except exits.Stop as stop:
        print(f"container-manager: {stop.message}", file=sys.stderr)
        return stop.code
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left (`… | head`); Python must not complain about it at exit.
        sys.stdout = None
        return exits.DONE


if __name__ == "__main__":
    sys.exit(main())
