"""Cursors of lists: opaque to clients, right while containers come and go."""

import base64
import binascii
from datetime import datetime

from container_manager.errors import ValidationError
from container_manager.models import Cuid, parse_cuid


def encode_cursor(created_at: datetime, cuid: Cuid) -> str:
    """The place behind this container."""
    return base64.urlsafe_b64encode(f"{created_at.isoformat()}|{cuid}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime, Cuid]:
    """The place that `cursor` stands for. ValidationError when it is none of ours."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        moment, _, name = text.partition("|")
        created_at, cuid = datetime.fromisoformat(moment), parse_cuid(name)
    except (binascii.Error, ValueError):
        cuid = None
    if cuid is None or created_at.tzinfo is None:
        raise ValidationError.field(
            "cursor", "Not a cursor of this list; pass next_cursor as it came, or none", cursor, "INVALID_CURSOR"
        )
    return created_at, cuid
