"""Run programs in containers at an API call: one machine, one Compose file a container."""

__version__ = "0.1.0"
