"""A first app: it says who it is, counts to five, writes a file, and is done.

Whatever is called boot.py in the uploaded zip is run, here with `python -u /app/boot.py`.
"""

import os
import time
from pathlib import Path

print(f"Hello! I am {os.environ['CONTAINER_UID']}")
print(f"My tags: {os.environ['TAGS']}. My user: {os.getuid()}. My folder: {Path.cwd()}")

for number in range(1, 6):
    print(f"{number} of 5")
    time.sleep(0.5)

greeting = Path("hello.txt")
greeting.write_text("This file was written inside a container.\n")
print(f"Wrote {greeting.absolute()}. Goodbye!")
