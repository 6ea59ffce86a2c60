"""Offers that ask for much: each a shape of SDP that is as large as a message may be."""

from __future__ import annotations

from collections.abc import Callable

HEAD = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\n"
SECURE = f"a=ice-ufrag:abcd\r\na=ice-pwd:{'p' * 22}\r\n{FINGERPRINT}a=setup:actpass\r\n"


def section(mid: int, lines: str = "", formats: str = "96", kind: str = "video") -> str:
    """A section that can be answered, with `lines` in it."""
    return (
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na=recvonly\r\na=rtcp-mux\r\n{SECURE}"
        f"a=rtpmap:96 VP8/90000\r\n{lines}"
    )


def offer(lines: str = "", session: str = "", sections: int = 1, formats: str = "96") -> str:
    """A whole offer; `lines` in each section, `session` before the first."""
    group = "a=group:BUNDLE " + " ".join(map(str, range(sections))) + "\r\n"
    return HEAD + group + session + "".join(section(i, lines, formats) for i in range(sections))


def _many(line: Callable[[int], str], size: int) -> str:
    lines, length, i = [], 0, 0
    while length < size:
        lines.append(line(i) + "\r\n")
        length += len(lines[-1])
        i += 1
    return "".join(lines)


def shapes(size: int) -> dict[str, str]:
    """Offers of about `size` characters, by what they have much of."""
    codecs = _many(lambda i: f"a=rtpmap:{i % 128} VP8/90000", size // 2)
    return {
        "rtcp-fb for all codecs": offer(codecs + _many(lambda i: "a=rtcp-fb:* nack", size // 2)),
        "rtcp-fb for one codec": offer(
            _many(lambda i: "a=rtpmap:96 VP8/90000", size // 2) + _many(lambda i: "a=rtcp-fb:96 nack", size // 2)
        ),
        "rtpmap": offer(codecs + codecs),
        "fmtp": offer(codecs + _many(lambda i: f"a=fmtp:{i % 128} x={i};y=1", size // 2)),
        "ssrc": offer(_many(lambda i: f"a=ssrc:{i} cname:x", size)),
        "ssrc-group": offer("a=ssrc-group:SIM " + " ".join("1" * (size // 2)) + "\r\n"),
        "candidate": offer(_many(lambda i: f"a=candidate:{i} 1 udp 1 192.0.2.{i % 250} {2000 + i} typ host", size)),
        "extmap": offer(_many(lambda i: f"a=extmap:{i % 14 + 1} urn:x:{i}", size)),
        "fingerprint": offer(_many(lambda i: FINGERPRINT.strip(), size)),
        "crypto": offer(_many(lambda i: f"a=crypto:{i} AES_CM_128_HMAC_SHA1_80 inline:{'x' * 40}", size)),
        "sections": HEAD + _many(lambda i: section(i).strip(), size),
        "empty sections": HEAD + _many(lambda i: "m=video 9 UDP/TLS/RTP/SAVPF 96", size),
        "formats": offer(formats=" ".join(str(i % 100) for i in range(size // 3))),
        "one long line": offer("a=fmtp:96 " + "x" * size + "\r\n"),
        "a long fmtp": offer("a=fmtp:96 " + ";".join(f"k{i}=v" for i in range(size // 8)) + "\r\n"),
        "session lines": offer(session=_many(lambda i: f"a=x{i}:y", size)),
        "groups": offer(session=_many(lambda i: "a=group:BUNDLE " + "0 " * 50, size)),
        "a deep bundle": offer(session="a=group:BUNDLE " + "0 " * (size // 2) + "\r\n"),
        "sctp": offer() + f"m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{SECURE}"
        + _many(lambda i: f"a=sctpmap:{i} x 1", size),
        "other line ends": offer(_many(lambda i: "a=x\x0ba=rtpmap:96 VP8/90000\x85a=rtcp-fb:* nack", size)),
        "no lines": "\n" * size,
        "large numbers": offer(_many(lambda i: "a=ssrc:" + "9" * 2000 + " cname:x", size)),
    }  # fmt: skip


def largest() -> str:
    """Nearly as much of what aiortc keeps as `server.call.offer` lets through."""
    lines = "".join(f"a=rtpmap:{i} VP8/90000\r\n" for i in [*range(35, 64), *range(97, 128)])
    lines += "".join(f"a=rtcp-fb:* nack x{i}\r\n" for i in range(16))
    lines += "".join(f"a=rtcp-fb:{97 + i % 30} nack x\r\n" for i in range(100))
    lines += "".join(f"a=ssrc:{i} cname:x\r\n" for i in range(60))
    lines += "".join(f"a=extmap:{i % 14 + 1} urn:x:{i}\r\n" for i in range(40))
    lines += "".join(f"a=candidate:{i} 1 udp 1 192.0.2.{i} {2000 + i} typ host\r\n" for i in range(16))
    return offer(lines, sections=3, formats=" ".join(map(str, [96, *range(35, 64), *range(97, 128)])))
