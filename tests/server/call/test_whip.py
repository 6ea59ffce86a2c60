"""WHIP in and WHEP out on a real server with a real connection: whoever speaks only HTTP is in the room like a page."""

from __future__ import annotations

import asyncio
import re
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCCertificate, RTCIceTransport
from aiortc.rtcdtlstransport import generate_certificate
from cryptography.hazmat.primitives.asymmetric import rsa

from server.accounts.room_tokens import Grants, RoomTokens
from server.call import http_peer
from server.call.protocol import IceServer, Join, Moderate, Participant, RoomState
from server.call_client import CallClient, CameraTrack
from tests.fakes import fake_avatar, flat_color
from tests.server.call.http_media import FRAGMENT, SDP, HttpMedia
from tests.server.call.serving import Running, running, until
from tests.server.call.test_call import Tone
from tests.server.call.test_visitors import site

pytestmark = pytest.mark.timeout(240)


def camera(brightness: int = 200) -> MediaStreamTrack:
    return CameraTrack(lambda _: av.VideoFrame.from_ndarray(np.full((120, 160, 3), brightness, np.uint8)))


def whip(server: Running, query: str = "", key: str = "person") -> HttpMedia:
    return HttpMedia(f"{server.base}/whip{query}", server.key(key), tracks=(camera(), Tone()))


def people(page: CallClient) -> list[Participant]:
    return list(page.said[RoomState].people)


async def test_a_camera_is_somebody_in_the_room_and_a_player_sees_and_hears_all() -> None:
    servers = (IceServer(["stun:127.0.0.1:9"]), IceServer(["turn:127.0.0.1:9?transport=udp"], 'a"b', "c\\d"))
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            running(avatars={"red": fake_avatar(10), "blue": fake_avatar(90)}, ice_servers=servers)
        )
        host = await stack.enter_async_context(server.page("host", Join("Ada")))
        obs = await stack.enter_async_context(whip(server, "?name=Studio&avatar=red"))
        await until(lambda: [p.name for p in people(host)] == ["Ada", "Studio"] and people(host)[1].seated)
        studio = people(host)[1].id
        assert obs.reply.headers["etag"] and "location" in obs.reply.headers and "a=recvonly" in obs.reply.text
        links = obs.reply.headers.get_list("link")
        assert '<stun:127.0.0.1:9>; rel="ice-server"' in links
        secret = r'username="a\"b"; credential="c\\d"; credential-type="password"'
        assert f'<turn:127.0.0.1:9?transport=udp>; rel="ice-server"; {secret}' in links

        player = HttpMedia(f"{server.base}/whep/{server.key('viewer')}")  # the key in the address, no header
        await stack.enter_async_context(player)
        assert any("compositeWithTrainedAlgorithmicMedia" in link for link in player.reply.headers.get_list("link"))
        assert player.reply.text.count("m=audio") == 1 and "a=sendonly" in player.reply.text
        await until(lambda: host.said[RoomState].viewers == 1 and player.sounds > 0 and _shows(player, 200, (10 + 90) / 2))
        await until(lambda: player.loudest > 1000 and host.voices.get(studio, 0) > 1000)

        await host.tell(Moderate("mute", studio))
        await until(lambda: people(host)[1].muted)
        while player.loudest >= 300:  # something is on its way; then the track goes on in silence
            player.loudest, sounds = 0, player.sounds
            await until(lambda: player.sounds > sounds + 10)  # noqa: B023

        assert (await player.send("DELETE")).status_code == 200
        await until(lambda: host.said[RoomState].viewers == 0)
        assert (await player.send("DELETE")).status_code == 404
        await host.tell(Moderate("remove", studio))
        await until(lambda: len(people(host)) == 1)
        assert (await obs.send("DELETE")).status_code == 404


def _shows(player: HttpMedia, brightness: float, blue: float) -> bool:
    if player.picture is None:
        return False
    middle = player.picture.to_ndarray(format="rgb24")[64, 64].astype(int)
    wanted = flat_color(brightness, 0.0)
    return bool(abs(middle[1] - wanted[1]) < 12 and abs(middle[2] - blue) < 12)


@pytest.mark.parametrize("sign", ["_has_heard", "_asked"])
async def test_either_sign_of_life_keeps_the_place_and_who_vanishes_loses_it(monkeypatch: pytest.MonkeyPatch, sign: str) -> None:
    async def no_answer(_: object) -> bool:
        return False

    if sign == "_has_heard":
        monkeypatch.setattr(http_peer.HttpPeer, "_asked", no_answer)
    else:
        monkeypatch.setattr(http_peer.HttpPeer, "_has_heard", lambda _: False)
    async with running(heartbeat=0.2, dead_after=2.0) as server, server.page("host") as host, whip(server) as obs:
        await until(lambda: len(people(host)) == 2 and people(host)[1].seated)
        await asyncio.sleep(3.0)
        assert len(people(host)) == 2
        for protocol in obs.pc.getTransceivers()[0].sender.transport.transport._connection._protocols:
            protocol.transport.abort()  # as a machine that lost its network
        await until(lambda: len(people(host)) == 1)
        assert (await obs.send("GET")).status_code == 404


async def test_who_closes_the_connection_leaves_at_once() -> None:
    async with (
        running(dead_after=50.0) as server,
        server.page("host") as host,
        WithRsa(f"{server.base}/whip", server.key("person"), tracks=(camera(),)) as obs,
    ):
        await until(lambda: len(people(host)) == 2 and obs.pc.connectionState == "connected")
        await obs.vanish()
        await until(lambda: len(people(host)) == 1)


async def test_addresses_may_come_later() -> None:
    """RFC 9725, 4.3."""
    async with (
        running() as server,
        server.page("host") as host,
        Trickling(f"{server.base}/whip", server.key("person"), tracks=(camera(),)) as obs,
    ):
        tag, body = obs.reply.headers["etag"], "\r\n".join(["a=mid:0", f"a=ice-ufrag:{obs.user}", *obs.held, ""])
        for status, text, headers in (
            (415, body, {"content_type": SDP, "if_match": tag}),
            (428, body, {"content_type": FRAGMENT}),
            (412, body, {"content_type": FRAGMENT, "if_match": '"another"'}),
            (422, body.replace(obs.user, "other"), {"content_type": FRAGMENT, "if_match": '"*"'}),
            (400, "nonsense", {"content_type": FRAGMENT, "if_match": tag}),
            (413, "a=mid:0\n" * 4000, {"content_type": FRAGMENT, "if_match": tag}),
            (
                204,
                "a=candidate:1 1 udp 1 198.51.100.9 40000 typ host raddr x rport y\n",
                {"content_type": FRAGMENT, "if_match": tag},
            ),
            (204, body, {"content_type": FRAGMENT, "if_match": tag}),
        ):
            reply = await obs.send("PATCH", text, **headers)
            assert (reply.status_code, "etag" in reply.headers) == (status, False), text
        await until(lambda: len(people(host)) == 2 and people(host)[1].seated)
        known = {c.ip for c in _ice(server).getRemoteCandidates()}
        assert {line.split(" ")[4] for line in obs.held} <= known
        assert (await obs.send("PATCH", body, authorization="Bearer no", content_type=FRAGMENT, if_match=tag)).status_code == 401
        assert (await obs.send("DELETE", authorization="")).status_code == 401
        assert (await obs.send("GET")).status_code == 204 and (await obs.send("PUT")).status_code == 405


class WithRsa(HttpMedia):
    """Has a certificate like GStreamer's, for which aiortc alone has no cipher."""

    async def offer(self) -> str:
        key = rsa.generate_private_key(65537, 2048)
        self.pc._RTCPeerConnection__certificates = [RTCCertificate(key=key, cert=generate_certificate(key))]  # type: ignore[attr-defined, arg-type]
        return await super().offer()


class Trickling(HttpMedia):
    """Holds the candidates of its offer back, and names one that only it can know."""

    async def offer(self) -> str:
        lines = (await super().offer()).splitlines()
        self.held = ["a=candidate:1 1 udp 1 198.51.100.7 50000 typ host"]
        self.user = next(line for line in lines if line.startswith("a=ice-ufrag:")).partition(":")[2]
        return "\r\n".join(line for line in lines if "candidate" not in line) + "\r\n"


def _ice(server: Running) -> RTCIceTransport:
    peer = next(p for p in server.room._peers.values() if isinstance(p, http_peer.HttpPeer))
    assert peer._pc is not None
    ice: RTCIceTransport = peer._pc.getTransceivers()[0].receiver.transport.transport
    return ice


async def test_what_is_refused_is_one_sentence_in_problem_details() -> None:
    """Who asks for the wrong thing, with the wrong key, or too much."""
    async with running(max_people=1, max_viewers=1) as server, httpx.AsyncClient(base_url=server.base, trust_env=False) as client:
        person, viewer = (f"Bearer {server.key(role)}" for role in ("person", "viewer"))
        nobody = HttpMedia(server.base)
        offer = await nobody.offer()
        long = "x" * 41
        for status, method, path, authorization, kind, body in (
            (401, "POST", "/whip", "", SDP, offer),
            (401, "POST", "/whip", "Bearer nonsense", SDP, offer),
            (401, "POST", f"/whip/{server.key('person')}", "Bearer an-account-s", SDP, offer),
            (401, "POST", "/whep", "Basic abc", SDP, offer),
            (404, "POST", "/whep/nonsense", "", SDP, offer),
            (403, "POST", "/whip", viewer, SDP, offer),
            (415, "POST", "/whep", viewer, "text/plain", offer),
            (413, "POST", "/whep", viewer, SDP, "a=x\n" * 20_000),
            (400, "POST", f"/whip?name={long}", person, SDP, offer),
            (400, "POST", "/whep", viewer, SDP, b"\xff\xfe"),
            (422, "POST", "/whep", viewer, SDP, "v=0\r\n"),
            (422, "POST", "/whip?avatar=nobody", person, SDP, offer),
            (405, "PUT", "/whip", person, SDP, offer),
            (405, "PATCH", "/whep", person, SDP, offer),
            (404, "DELETE", "/whip/session/nonsense", person, SDP, ""),
            (404, "PATCH", "/whep/session/nonsense", "", SDP, ""),
        ):
            reply = await client.request(
                method, path, content=body, headers={"authorization": authorization, "content-type": kind}
            )
            assert reply.status_code == status, (path, reply.text)
            assert (
                reply.headers["content-type"] == "application/problem+json"
                and reply.headers["access-control-allow-origin"] == "*"
            )
            assert reply.json()["status"] == status and reply.json()["detail"].count(". ") == 0
            assert ("www-authenticate" in reply.headers) == (status == 401) and ("allow" in reply.headers) == (status == 405)
        for path in ("/whip", "/whep/session/some"):
            reply = await client.options(path)
            assert (reply.status_code, reply.text) == (200, "") and reply.headers["accept-post"] == SDP
            assert "Authorization" in reply.headers["access-control-allow-headers"]
        assert (await client.get("/whip")).status_code == 204
        assert not server.room._peers
        async with server.page("host") as host, server.page("viewer"):
            for path, key in (("/whip", person), ("/whep", viewer)):
                full = await client.post(path, content=offer, headers={"authorization": key, "content-type": SDP})
                assert (full.status_code, full.headers["retry-after"]) == (503, "5") and "taken" in full.json()["detail"], (
                    full.text
                )
            await host.tell(Moderate("lock"))
            await until(lambda: host.said[RoomState].locked)
            shut = await client.post("/whep", content=offer, headers={"authorization": viewer, "content-type": SDP})
            assert shut.status_code == 403 and "locked" in shut.json()["detail"]
        await nobody.vanish()


async def test_a_server_without_a_free_media_port_says_so_and_one_that_stops_ends_all() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with running(ice_addresses=("127.0.0.1",), ice_ports=(port, port)) as server:
            obs = whip(server)
            await obs.begin()
            assert obs.reply.status_code == 503 and "UDP port" in obs.reply.json()["detail"]
            await obs.vanish()
    async with running() as server:
        obs = whip(server)
        await obs.begin()
        assert obs.reply.status_code == 201
    await obs.vanish()


async def test_room_tokens_open_what_they_grant_and_nothing_once_expired(tmp_path: Path) -> None:
    async with site(tmp_path) as here:
        sends, watches = await here.token(grants=["publish"]), await here.token(grants=["watch", "subscribe"])
        expired, _ = RoomTokens(here.secret).make(Grants(here.room, publish=True), -60)
        elsewhere, _ = RoomTokens(here.secret).make(Grants("another", publish=True))
        for status, place, token in (
            (201, "whip", sends), (403, "whep", sends), (403, "whip", watches), (201, "whep", watches),
            (401, "whip", expired), (401, "whep", expired), (401, "whip", elsewhere), (401, "whip", f"{sends}x"),
        ):  # fmt: skip
            media = HttpMedia(f"{here.server.base}/{place}", token, tracks=(camera(),) if place == "whip" else ())
            await media.begin()
            assert media.reply.status_code == status, (place, media.reply.text)
            if status == 201:
                assert (await media.send("DELETE")).status_code == 200
            await media.vanish()


class Obs(HttpMedia):
    """Offers as OBS 30 and newer do, by libdatachannel (Description::generateSdp): what belongs to the transport stands above the
    sections, each has one codec, and no address is named, then or later: it gathers when it knows the answer."""

    async def offer(self) -> str:
        lines = (await super().offer()).splitlines()

        def first(start: str) -> str:
            return next(line for line in lines if line.startswith(start))

        above = ["a=msid-semantic:WMS *", "a=setup:actpass",
                 first("a=ice-ufrag:"), first("a=ice-pwd:"), "a=ice-options:ice2,trickle",
                 first("a=fingerprint:sha-256")]  # fmt: skip
        opus = "minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1"
        sound = ["m=audio 9 UDP/TLS/RTP/SAVPF 111", *_section("0", 11), "a=rtpmap:111 opus/48000/2", f"a=fmtp:111 {opus}"]
        h264 = "profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1"
        feedback = [f"a=rtcp-fb:96 {kind}" for kind in ("nack", "nack pli", "goog-remb")]
        picture = ["m=video 9 UDP/TLS/RTP/SAVPF 96", *_section("1", 12), "a=rtpmap:96 H264/90000", *feedback, f"a=fmtp:96 {h264}"]
        begin = ["v=0", "o=rtc 3767197920 0 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1", "a=group:LS 0 1"]
        return "\r\n".join([*begin, *above, *sound, *picture, ""])


def _section(mid: str, ssrc: int) -> list[str]:
    named = [f"a=ssrc:{ssrc} cname:obs", f"a=ssrc:{ssrc} msid:stream track{mid}", f"a=msid:stream track{mid}"]
    return ["c=IN IP4 0.0.0.0", f"a=mid:{mid}", "a=sendonly", *named, "a=rtcp-mux"]


async def test_obs_is_a_camera() -> None:
    async with (
        running(ice_servers=(IceServer(["stun:127.0.0.1:9"]),)) as server,
        server.page("host", Join("Ada")) as host,
        Obs(f"{server.base}/whip?name=OBS", server.key("person"), tracks=(Tone(), camera())) as obs,
    ):
        assert obs.reply.status_code == 201 and obs.reply.headers["content-type"] == SDP
        assert '<stun:127.0.0.1:9>; rel="ice-server"' in obs.reply.headers.get_list("link")
        above, sound, picture = re.split(r"(?m)^m=", obs.reply.text)
        assert "a=group:BUNDLE 0 1" in above and "a=ice-lite" not in above
        for section, kind, payload in ((sound, "audio", 111), (picture, "video", 96)):
            assert re.match(rf"{kind} [1-9]\d* UDP/TLS/RTP/SAVPF {payload}\r", section), "one codec, and not refused"
            assert "a=recvonly" in section and "a=rtcp-mux" in section
            assert "a=candidate:" in section and re.search("a=setup:(active|passive)", section)
        assert "opus/48000/2" in sound and "H264/90000" in picture and "packetization-mode=1" in picture
        await until(lambda: [p.name for p in people(host)] == ["Ada", "OBS"] and people(host)[1].seated)
        studio = people(host)[1].id
        await until(lambda: host.voices.get(studio, 0) > 1000 and "decode" in server.room.worker.times.medians())
        assert (await obs.send("DELETE")).status_code == 200
        await until(lambda: len(people(host)) == 1)
