"""What is on disk: Compose files, mounts, archives, locks."""
