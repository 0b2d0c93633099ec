"""The command line: `serve` and `doctor` for the machine, every other command over the public API."""
