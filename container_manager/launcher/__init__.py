"""What runs in a boot.py app's container before boot.py itself. The server never imports it: it copies it."""
