"""The Compose and Docker command lines: arguments, subprocesses, events, states."""
