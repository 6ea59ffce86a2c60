"""A voice agent with a face, as small as it can be: sound in, avatar out.

    visavis export me.avatar -o me.webavatar
    python docs/examples/voice_agent.py me.webavatar answer.wav
    # open http://127.0.0.1:8100 and press the button

The agent's voice is a WAV file here (16 bits, mono), sent piece by piece as a speech synthesis does; put your own in `voice`. The
page plays it and gives it to `<visavis-avatar>`, which moves the mouth. Nothing but Python's own library.
"""

from __future__ import annotations

import argparse
import time
import wave
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
COMPONENT = HERE.parents[1] / "client_web" / "dist" / "embed" / "visavis-avatar.js"
PIECE = 0.1
"""Seconds of sound in a piece."""


def voice(path: Path) -> tuple[int, Iterator[bytes]]:
    """The sound of an answer -> samples a second, and pieces of PCM (16 bits, little endian, mono) as they are made."""
    with wave.open(str(path)) as file:
        if (file.getsampwidth(), file.getnchannels()) != (2, 1):
            raise SystemExit(f"{path}: a WAV file of 16 bits and one channel was expected; convert it")
        rate, data = file.getframerate(), file.readframes(file.getnframes())

    def pieces() -> Iterator[bytes]:
        size = 2 * round(PIECE * rate)
        for at in range(0, len(data), size):
            yield data[at : at + size]
            time.sleep(0.8 * PIECE)  # a little faster than it is heard

    return rate, pieces()


def make_server(avatar: Path, sound: Path, component: Path = COMPONENT, port: int = 8100) -> ThreadingHTTPServer:
    """A web server of the page, the component, the avatar and the voice, on this machine only."""
    files = {
        "/": (HERE / "voice_agent.html", "text/html; charset=utf-8"),
        "/component": (component, "text/javascript"),
        "/avatar": (avatar, "application/octet-stream"),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/voice":
                self.speak()
            elif self.path in files:
                path, kind = files[self.path]
                self.begin(kind)
                self.wfile.write(path.read_bytes())
            else:
                self.send_error(404)

        def speak(self) -> None:
            rate, pieces = voice(sound)
            self.begin("application/octet-stream", {"x-sample-rate": str(rate)})
            for piece in pieces:
                self.wfile.write(piece)

        def begin(self, kind: str, further: dict[str, str] | None = None) -> None:
            self.send_response(200)
            for name, value in ({"content-type": kind, "cache-control": "no-store"} | (further or {})).items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serves until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A voice agent with a face.")
    parser.add_argument("avatar", type=Path, help="a .webavatar file, written by `visavis export`")
    parser.add_argument("sound", type=Path, help="what the agent says, a WAV file of 16 bits and one channel")
    parser.add_argument("--component", type=Path, default=COMPONENT, help="visavis-avatar.js")
    parser.add_argument("--port", type=int, default=8100)
    given = parser.parse_args()
    server = make_server(given.avatar, given.sound, given.component, given.port)
    print(f"open http://127.0.0.1:{server.server_port}")
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
