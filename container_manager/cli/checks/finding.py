"""What a check answers."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it is, and what to do about it unless it is well."""

    subject: str
    level: Level
    text: str
    advice: str = ""

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)
