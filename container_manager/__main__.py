"""`python -m container_manager` and the `container-manager` command. Without arguments it serves."""

import os
import sys

from container_manager.cli import exits
from container_manager.cli.parser import parse


def main() -> int:
    """Run the command of `sys.argv` and return its exit code. Every error is one line on stderr."""
    try:
        arguments = parse(sys.argv[1:])
        code = int(arguments.run(arguments))
        sys.stdout.flush()
        return code
    except exits.Stop as stop:
        print(f"container-manager: {stop.message}", file=sys.stderr)
        return stop.code
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has left (`… | head`); Python must not complain about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.DONE


if __name__ == "__main__":
    sys.exit(main())
