"""A terminal and a log reader on /ws with websockets, as people write them for versions before 14."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Callable

import websockets
from checks import HOST, PATIENCE, authorization, check, running_app

APP = """
import pathlib, time
log = pathlib.Path("/app/logs/app.log")
log.parent.mkdir(exist_ok=True)
count = 0
while True:
    with log.open("a") as lines:
        lines.write(f"tick {count}\\n")
    count += 1
    time.sleep(0.1)
"""


class Terminal:
    """One connection: what the server said so far, and ways to answer."""

    def __init__(self, connection: websockets.WebSocketClientProtocol) -> None:
        self.connection = connection
        self.text = ""
        self.encodings: set[str] = set()
        self.code: int | None = None
        self.errors: list[dict] = []
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self.connection:
            frame = json.loads(message)
            match frame["type"]:
                case "stdout" | "stderr":
                    self.encodings.add(frame["encoding"])
                    if frame["encoding"] == "base64":
                        self.text += base64.b64decode(frame["data"]).decode(errors="replace")
                    else:
                        self.text += frame["data"]
                case "exit":
                    self.code = frame["code"]
                case "error":
                    self.errors.append(frame["error"])
            self._news.set()

    async def say(self, kind: str, **fields: object) -> None:
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def type(self, text: str) -> None:
        await self.say("stdin", data=text, encoding="utf8")

    async def sees(self, text: str) -> None:
        """Check that `text` appears; what stood before it is forgotten."""
        await self._until(f"the terminal shows {text!r}", lambda: text in self.text)
        self.text = self.text.partition(text)[2]

    async def complains(self) -> dict:
        await self._until("the server complains", lambda: self.errors)
        return self.errors.pop()

    async def ended(self) -> int | None:
        """The exit code, once the server has closed the connection."""
        try:
            await asyncio.wait_for(asyncio.shield(self._reader), PATIENCE)
        except TimeoutError:
            check("the server closes the connection", False, self.text)
        check("it ends normally", self.connection.close_code == 1000, self.connection.close_code)
        return self.code

    async def _until(self, name: str, condition: Callable[[], object]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while not condition():
                    self._news.clear()
                    await self._news.wait()
        check(name, condition(), repr(self.text))


@contextlib.asynccontextmanager
async def terminal(cuid: str, query: str = "") -> AsyncIterator[Terminal]:
    async with websockets.connect(f"ws://{HOST}/ws/{cuid}{query}", extra_headers=authorization()) as connection:
        yield Terminal(connection)


async def interactive(cuid: str) -> None:
    async with terminal(cuid, "?cols=100&rows=30") as shell:
        await shell.type("stty size\n")
        await shell.sees("30 100")
        await shell.say("resize", cols=132, rows=40)
        await shell.type("stty size\n")
        await shell.sees("40 132")
        await shell.type("pwd; echo $TERM\n")
        await shell.sees("/app")
        await shell.sees("xterm-256color")

        # The quotes keep what is typed from looking like what is printed.
        await shell.type("echo wai''ting; sleep 1000\n")
        await shell.sees("waiting")
        await shell.say("signal", name="INT")
        await shell.type("echo still $((40 + 2))\n")
        await shell.sees("still 42")

        await shell.type("printf '\\377\\n'\n")
        await shell.sees("\N{REPLACEMENT CHARACTER}")
        check("bytes that are no text come as base64", shell.encodings == {"utf8", "base64"}, shell.encodings)

        await shell.say("nonsense")
        error = await shell.complains()
        check("an unknown frame gets an error with a message", error["message"], error)
        await shell.type("echo ali''ve\n")
        await shell.sees("alive")

        await shell.type("exit 3\n")
        check("exit tells the shell's code", await shell.ended() == 3, shell.code)

    async with terminal(cuid, "?cols=80&rows=24") as shell:
        await shell.type("echo he''re\n")
        await shell.sees("here")
        await shell.say("signal", name="KILL")
        check("a killed shell exits with 128 + 9", await shell.ended() == 137, shell.code)

    async with terminal(cuid, "?cols=80&rows=24") as shell:
        await shell.type("echo he''re\n")
        await shell.sees("here")
        await shell.say("close")
        await shell.ended()
        check("close ends the session", shell.connection.closed)


async def log_reader(cuid: str) -> None:
    """Without a size the shell opens at the first input; `tail -f` then goes on for ever."""
    async with terminal(cuid) as reader:
        await reader.type("tail -f /app/logs/app.log\n")
        await reader.sees("tick ")
        await reader.sees("tick ")


async def main() -> None:
    with running_app(APP) as cuid:
        await interactive(cuid)
        await log_reader(cuid)


if __name__ == "__main__":
    asyncio.run(main())
