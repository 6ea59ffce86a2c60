"""Whole calls over real sockets and real WebRTC, on this machine, with the fake pipeline."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import AsyncExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from websockets.asyncio.client import connect

from models.errors import VisavisError
from server.benchmarks import call_client
from server.benchmarks.call_client import BenchPage, RefusedError
from server.call.protocol import Camera, Failure, Hello, Offer, Ping, Recalibrate, Role, RoomState, Stats, decode, encode
from tests.server.call.serving import running, shows, until

pytestmark = pytest.mark.timeout(60)


class Tone(MediaStreamTrack):
    """A microphone that hears a steady tone."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._pts = 0

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(0.02)
        wave = (8000 * np.sin(2 * np.pi * 440 * (self._pts + np.arange(960)) / 48000)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, self._pts, Fraction(1, 48000)
        self._pts += 960
        return frame


async def test_a_call_from_start_to_end() -> None:
    async with running(heartbeat=0.2, dead_after=2.0) as server, AsyncExitStack() as pages:
        await until(lambda: server.room.ready)
        person = await pages.enter_async_context(server.page("person", Tone()))
        assert person.welcome.viewer_url == server.addresses.viewer
        await until(lambda: shows(person, server.brightness))

        viewer = await pages.enter_async_context(server.page("viewer"))
        await until(lambda: shows(viewer, server.brightness))
        await until(lambda: viewer.sounds > 10 and viewer.loudest > 2000)
        assert person.sounds == 0
        await until(lambda: person.said.get("room_state") == RoomState(True, 1))

        server.brightness = 90
        await until(lambda: shows(viewer, 90) and shows(person, 90))

        viewer.say(Camera(1.2, 0.1, 0.9))
        await until(lambda: shows(viewer, 90, yaw=1.2))
        assert shows(person, 90)

        person.say(Recalibrate())
        await until(lambda: _stats(person).calibrating)
        assert {"decode", "track", "splat", "encode", "total"} == set(_stats(viewer).stages)
        await until(
            lambda: _stats(viewer).fps > 5 and _stats(viewer).bitrate > 0 and _stats(viewer).face and _stats(viewer).ready
        )

        await viewer.leave()
        await until(lambda: person.said.get("room_state") == RoomState(True, 0))


def _stats(page: BenchPage) -> Stats:
    said = page.said.get("stats", Stats(0, {}, 0, False))
    assert isinstance(said, Stats)
    return said


async def test_a_killed_render_process_comes_back_during_a_call() -> None:
    async with running() as server, server.page("person") as person:
        await until(lambda: shows(person, server.brightness))
        os.kill(server.room.worker.pid, signal.SIGKILL)
        await until(lambda: not server.room.ready)
        server.brightness = 110
        await until(lambda: shows(person, 110))
        assert server.room.worker.starts == 2


async def test_pages_are_told_that_the_avatar_is_not_loaded_and_that_it_never_will_be() -> None:
    heard: list[Failure] = []

    async def call() -> None:
        async with running(factory="tests.fakes:never_ready") as server, server.page("person") as person:
            await until(lambda: "stats" in person.said)
            assert not _stats(person).ready and not _stats(person).face
            server.room.worker.failure = "/secret/place is no avatar"
            server.stop()
            await until(lambda: "failure" in person.said)
            heard.append(person.said["failure"])

    with pytest.raises(VisavisError, match="no avatar"):
        await call()
    assert heard[0].code == "internal" and heard[0].final and "secret" not in heard[0].message


async def test_taken_full_and_unknown_are_refused_and_a_token_brings_the_page_back() -> None:
    async with running(max_viewers=1) as server, server.page("person") as person, server.page("viewer"):
        assert await _refusal(server.page("person")) == "taken"
        assert await _refusal(server.page("viewer")) == "full"
        assert await _refusal(BenchPage(server.socket, "viewer", "not the key of the call")) == "not_found"
        async with server.page("person", resume=person.welcome.resume) as back:
            await until(lambda: shows(back, server.brightness))
            await person.socket.wait_closed()


async def _refusal(page: BenchPage) -> str:
    with pytest.raises(RefusedError) as error:
        async with page:
            pass
    return error.value.failure.code


async def test_a_page_that_falls_silent_is_let_go_and_its_place_is_free() -> None:
    async with running(heartbeat=0.2, dead_after=0.6) as server, server.page("person") as silent:
        await until(lambda: "pong" in silent.said)
        silent.beating = False
        await silent.socket.wait_closed()
        async with server.page("person") as next_one:
            await until(lambda: shows(next_one, server.brightness))


async def test_a_page_that_closes_without_a_word_is_noticed_before_its_heartbeat_is_missed() -> None:
    async with running(dead_after=50.0, media_timeout=50.0) as server, server.page("person") as person:
        viewer = server.page("viewer")
        await viewer.__aenter__()
        await until(lambda: person.said.get("room_state") == RoomState(True, 1))
        await viewer.leave(bye=False)
        await until(lambda: person.said.get("room_state") == RoomState(True, 0))


async def test_nonsense_is_answered_and_the_call_goes_on() -> None:
    async with running() as server, server.page("person") as person:
        for nonsense in ("", "{", '{"type":"camera","yaw":1e999,"pitch":0,"distance":1}', '{"type":"answer","sdp":""}'):
            person.said.pop("failure", None)
            person.channel.send(nonsense)
            await until(lambda: "failure" in person.said)
            assert person.said["failure"].code == "bad_message" and not person.said["failure"].final
        person.channel.send(b"\xff\x00")
        await person.socket.send(b"\xff")
        await person.socket.send("nonsense")
        person.say(Camera(1e300, -1e300, 1e300))
        person.say(Camera(0.0, 0.0, 0.9))
        person.said.pop("pong", None)
        person.say(Ping(1.0))
        await until(lambda: "pong" in person.said and shows(person, server.brightness))


async def test_an_offer_that_cannot_be_answered_is_one_sentence_and_may_be_mended() -> None:
    async with running() as server:
        page = server.page("person")
        async with connect(server.socket) as signalling:
            await signalling.send(encode(Hello("person", server.config.person_key)))
            for sdp in ("", "v=0\r\n", "m=video 9 UDP/TLS/RTP/SAVPF 97\r\n" * 9):
                await signalling.send(encode(Offer(sdp)))
                while not isinstance(failure := decode(await signalling.recv()), Failure):
                    pass
                assert failure.code == "media" and not failure.final and "\n" not in failure.message
            page.pc.addTransceiver("video", direction="recvonly")
            await page.pc.setLocalDescription(await page.pc.createOffer())
            await signalling.send(encode(Offer(page.pc.localDescription.sdp)))
            while (answer := decode(await signalling.recv())).TYPE != "answer":
                pass
            await page.pc.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
            assert page.pc.signalingState == "stable"
        await page.pc.close()


async def test_a_server_without_a_free_media_port_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with running(ice_addresses=("127.0.0.1",), ice_ports=(port, port)) as server:
            with pytest.raises(RefusedError) as error:
                await server.page("viewer").__aenter__()
            assert error.value.failure.code == "media" and not error.value.failure.final
            assert "UDP port" in error.value.failure.message and "no UDP port is free" in caplog.text


async def test_pages_come_back_after_a_restart(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tokens: dict[Role, str] = {}
    for _ in range(2):
        async with running(port=port, state=tmp_path) as server, AsyncExitStack() as pages:
            key = {"person": server.addresses.person, "viewer": server.addresses.viewer}
            joining = [
                BenchPage(server.socket, role, key[role].rpartition("/")[2], resume=tokens.get(role, ""))
                for role in ("person", *["viewer"] * 7)
            ]
            async with asyncio.timeout(20):
                await asyncio.gather(*(pages.enter_async_context(page) for page in joining))
            tokens = {"person": joining[0].welcome.resume, "viewer": joining[1].welcome.resume}


async def test_a_page_that_takes_only_short_messages_does_not_stop_the_others_figures() -> None:
    async with running() as server, server.page("viewer") as odd:
        peer = next(iter(server.room._peers.values()))
        peer._pc.sctp._remote_max_message_size = 1
        odd.say(Ping(1.0))
        async with server.page("viewer") as other:
            await until(lambda: "stats" in other.said)


async def test_a_machine_with_nothing_but_loopback_can_call_itself() -> None:
    async with running(ice_addresses=("127.0.0.1",)) as server, server.page("person") as person:
        assert "192.0.2." not in person.pc.remoteDescription.sdp
        await until(lambda: shows(person, server.brightness))


async def test_h264_is_spoken_to_pages_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class OnlyH264(RTCPeerConnection):
        def addTransceiver(self, *args: object, **options: object):  # noqa: N802 (W3C name)
            transceiver = super().addTransceiver(*args, **options)
            if transceiver.kind == "video":
                codecs = RTCRtpSender.getCapabilities("video").codecs
                transceiver.setCodecPreferences([c for c in codecs if "H264" in c.mimeType])
            return transceiver

    monkeypatch.setattr(call_client, "RTCPeerConnection", OnlyH264)
    async with running() as server, server.page("person") as person:
        assert "VP8" not in person.pc.remoteDescription.sdp
        await until(lambda: shows(person, server.brightness))


async def test_stopping_hangs_up_and_leaves_nothing_behind() -> None:
    async with running() as server, server.page("person") as person:
        await until(lambda: shows(person, server.brightness))
        pid = server.room.worker.pid
        server.stop()
        await person.socket.wait_closed()
        await until(lambda: person.pc.connectionState == "closed")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_sigterm_ends_the_server() -> None:
    async with running() as server, server.page("viewer") as viewer:
        os.kill(os.getpid(), signal.SIGTERM)
        await viewer.socket.wait_closed()
        await until(lambda: not server.room.ready)
