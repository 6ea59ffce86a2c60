"""Whole calls over real sockets and real WebRTC, on this machine, with the fake pipeline."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from contextlib import AsyncExitStack, suppress
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCRtpSender
from websockets.asyncio.client import connect

from models.errors import VisavisError
from server import call_client
from server.call import rooms
from server.call.protocol import (
    Answer,
    Failure,
    FromPage,
    Join,
    Labels,
    Lobby,
    Moderate,
    Offer,
    Ping,
    Place,
    Pong,
    Presence,
    Recalibrate,
    RoomState,
    Stats,
    ViewerCamera,
    ViewerFrame,
    decode_from_server,
)
from server.call_client import CallClient, RefusedError
from tests.fakes import fake_avatar
from tests.server.call.serving import rests, running, shows, until

pytestmark = pytest.mark.timeout(240)


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


async def test_a_room_from_start_to_end() -> None:
    """Two people and a viewer: each sees, hears and acts."""
    files = {"ada": fake_avatar(40), "bob": fake_avatar(200)}
    async with running(avatars=files, heartbeat=0.2) as server, AsyncExitStack() as pages:
        ada = await pages.enter_async_context(server.page("host", Join("Ada"), microphone=Tone()))
        assert ada.welcome.person_link == server.addresses.person and ada.welcome.viewer_link == server.addresses.viewer
        await until(lambda: shows(ada, server.brightness))
        avatars = {avatar.name: avatar.id for avatar in ada.said[Lobby].avatars}
        bob = await pages.enter_async_context(server.page("person", Join("Bob", avatars["bob"])))
        eve = await pages.enter_async_context(server.page("viewer"))
        ids = [ada.welcome.participant, bob.welcome.participant]
        assert eve.welcome.participant == -1 and not eve.welcome.person_link
        await until(lambda: abs(_blue(ada) - 200) < 20 and abs(_blue(bob) - 40) < 20 and abs(_blue(eve) - 120) < 20)
        people = [("Ada", True, True), ("Bob", False, True)]
        await until(lambda: [(p.name, p.host, p.seated) for p in eve.said[RoomState].people] == people)
        assert eve.said[RoomState].viewers == 1
        await until(lambda: bob.voices.get(ids[0], 0) > 2000 and eve.voices.get(ids[0], 0) > 2000)
        assert ids[0] not in ada.voices, "not the own voice"
        await until(lambda: _labels(ada) == ids[1:] and sorted(_labels(eve)) == ids)

        server.brightness = 90
        eve.say(ViewerCamera(orbit=True, focus=ids[0], yaw=1.2))
        await until(lambda: shows(eve, 90, yaw=1.2) and _labels(eve) == ids[:1])
        bob.say(Recalibrate())
        await until(lambda: _stats(bob).calibrating and not _stats(ada).calibrating)
        assert {"decode", "track", "splat", "encode", "total"} <= set(_stats(eve).stages)
        await until(lambda: _stats(eve).fps > 5 and _stats(eve).bitrate > 0 and _stats(ada).face and _stats(eve).ready)

        await ada.tell(Presence(muted=True))
        await until(lambda: bob.said[RoomState].people[0].muted)
        await _is_silent(bob)  # a muted voice is kept back

        await bob.tell(Moderate("remove", ids[0]))
        await until(lambda: _failed(bob) == "not_allowed")
        await ada.tell(Moderate("remove", ids[1]))
        await until(lambda: _failed(bob) == "removed")
        await until(lambda: [p.id for p in ada.said[RoomState].people] == ids[:1] and abs(_blue(ada) - 40) < 20)
        await ada.tell(Moderate("end"))
        await until(lambda: _failed(eve) == "ended")


async def test_a_page_gets_the_picture_that_its_screen_has_room_for_and_none_while_hidden() -> None:
    async with running() as server, AsyncExitStack() as pages:
        eve = await pages.enter_async_context(server.page("viewer"))
        await pages.enter_async_context(server.page("person"))
        await until(lambda: shows(eve, server.brightness))
        assert eve.last_picture is not None and eve.last_picture.width == 128
        eve.say(ViewerFrame(Place(48, 48)))
        await until(lambda: eve.last_picture.width == eve.said[Labels].width == 48)
        eve.say(ViewerFrame(Place(400, 400, "dark", mask=True)))
        await until(lambda: (eve.last_picture.width, eve.last_picture.height) == (80, 112 + 56))
        await until(lambda: (eve.said[Labels].width, eve.said[Labels].height, eve.said[Labels].mask) == (80, 112, True))
        eve.say(ViewerFrame(Place(400, 400, seen=False)))
        await rests(lambda: eve.pictures, 1.2)  # not even the last one again
        server.brightness = 90
        eve.say(ViewerFrame(Place(400, 400)))
        await until(lambda: shows(eve, 90) and eve.last_picture.width == 128)


async def _is_silent(page: CallClient) -> None:
    """Wait until nobody has been loud for a while."""
    loud = True
    while loud:
        page.heard.clear()
        await asyncio.sleep(0.4)
        loud = any(loudness >= 2000 for loudness in page.heard.values())


def _failed(page: CallClient) -> str:
    return str(page.said[Failure].code) if Failure in page.said else ""


def _labels(page: CallClient) -> list[int]:
    return [label.participant for label in page.said.get(Labels, Labels()).labels]


def _names(page: CallClient) -> list[str]:
    return [p.name for p in page.said[RoomState].people]


def _blue(page: CallClient) -> int:
    picture = page.last_picture
    return -100 if picture is None else int(picture.to_ndarray(format="rgb24")[64, 64, 2])


def _stats(page: CallClient) -> Stats:
    said = page.said.get(Stats, Stats(0, {}, 0, False))
    assert isinstance(said, Stats)
    return said


async def test_a_killed_render_process_comes_back_during_a_call() -> None:
    async with running() as server, server.page("host") as person, server.page("viewer") as viewer:
        await until(lambda: shows(person, server.brightness))
        order = person.said[RoomState].people[0].id
        os.kill(server.room.worker.pid, signal.SIGKILL)
        await until(lambda: not server.room.ready)
        server.brightness = 110
        await until(lambda: shows(person, 110) and shows(viewer, 110))
        assert server.room.worker.starts == 2 and person.said[RoomState].people[0].id == order


async def test_pages_are_told_that_nothing_is_shown_yet_and_that_it_never_will_be() -> None:
    heard: list[Failure] = []

    async def call() -> None:
        async with running(factory="tests.fakes:never_ready") as server, server.page("host") as person:
            await until(lambda: Stats in person.said)
            assert not _stats(person).ready and not _stats(person).face
            server.room.worker.failure = server.rooms.failure = "/secret/place is no avatar"
            server.stop()
            await until(lambda: Failure in person.said)
            heard.append(person.said[Failure])

    with pytest.raises(VisavisError, match="no avatar"):
        await call()
    assert heard[0].code == "internal" and heard[0].final and "secret" not in heard[0].message


async def test_full_and_unknown_are_refused_and_a_token_brings_the_page_back() -> None:
    async with running(max_people=1, max_viewers=1) as server, server.page("host") as person, server.page("viewer"):
        full = await _refusal(server.page("person"))
        assert full.code == "full" and not full.may_watch and not full.final
        assert (await _refusal(server.page("viewer"))).code == "full"
        assert (await _refusal(CallClient(server.socket, "not the key of the room"))).code == "not_found"
        async with server.page("host", resume=person.welcome.resume) as back:
            assert back.welcome.participant == person.welcome.participant
            await until(lambda: shows(back, server.brightness))
            await person.socket.wait_closed()


async def _refusal(page: CallClient) -> Failure:
    with pytest.raises(RefusedError) as error:
        async with page:
            pass
    return error.value.failure


async def test_an_avatar_that_cannot_be_shown_is_told_in_one_sentence() -> None:
    async with running(avatars={"broken": fake_avatar(fault="refuse")}) as server:
        page = server.page("person")
        with suppress(RefusedError):  # told while it still connects, or after
            await page.connect()
        await until(lambda: Failure in page.said)
        assert page.said[Failure].code == "avatar" and "this is none" in page.said[Failure].message
        await page.leave()


async def test_each_room_is_for_itself_and_begins_when_somebody_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "LOOK_EVERY", 0.1)
    monkeypatch.setattr(rooms, "IDLE_AFTER", 0.3)
    async with running(max_rooms=2) as server, server.page("host", Join("Ada")) as ada:
        made = json.loads((await server.request("/rooms", "POST", authorization=f"Bearer {server.key('host')}")).body)
        full = await server.request("/rooms", "POST", authorization=f"Bearer {server.key('host')}")
        assert full.status == 409 and b"at most 2 rooms" in full.body
        assert len(server.rooms.open) == 1
        async with CallClient(server.socket, made["host"].rpartition("/")[2], Join("Bob")) as bob:
            assert len(server.rooms.open) == 2 and bob.welcome.viewer_link == made["viewer"]
            assert [_names(bob), _names(ada)] == [["Bob"], ["Ada"]]
            second = server.rooms.open[1].worker
            await until(lambda: second.ready and bob.pictures > 0)
            os.kill(second.pid, signal.SIGKILL)
            shown = ada.pictures
            await until(lambda: ada.pictures > shown + 20)
        await until(lambda: len(server.rooms.open) == 1)
        await until(lambda: second.pid is None)
        assert server.rooms.ready


async def test_a_page_that_falls_silent_is_let_go_and_its_place_is_free() -> None:
    async with running(heartbeat=0.2, dead_after=0.6, max_people=1) as server, server.page("person") as silent:
        await until(lambda: Pong in silent.said)
        silent.beating = False
        await silent.socket.wait_closed()
        await until(lambda: Failure in silent.said)
        assert silent.said[Failure].code == "lost" and not silent.said[Failure].final
        async with server.page("person") as next_one:
            await until(lambda: shows(next_one, server.brightness))


class BundledPage(CallClient):
    """Names its address as browsers do, in the first section of the bundle (RFC 8843); aiortc repeats it in each."""

    ADDRESS = "198.51.100.7"

    async def tell(self, message: FromPage) -> None:
        if isinstance(message, Offer):
            lines = [line for line in message.sdp.splitlines() if "candidate" not in line]
            first = next(i for i, line in enumerate(lines) if line.startswith("a=mid:"))
            lines.insert(first, f"a=candidate:1 1 udp 1 {self.ADDRESS} 50000 typ host")
            message = Offer("\r\n".join(lines) + "\r\n")
        await super().tell(message)


async def test_the_server_tries_the_address_that_a_bundle_names_once() -> None:
    async with running() as server, BundledPage(server.socket, server.key("viewer")):
        ice = next(iter(server.room._peers.values()))._pc.getTransceivers()[0].receiver.transport.transport
        assert BundledPage.ADDRESS in {candidate.ip for candidate in ice.getRemoteCandidates()}


async def test_a_page_that_closes_without_a_word_is_noticed_before_its_heartbeat_is_missed() -> None:
    async with running(dead_after=50.0, media_timeout=50.0) as server, server.page("host") as person:
        viewer = server.page("viewer")
        await viewer.connect()
        await until(lambda: person.said[RoomState].viewers == 1)
        await viewer.leave(bye=False)
        await until(lambda: person.said[RoomState].viewers == 0)


async def test_nonsense_is_answered_and_the_call_goes_on() -> None:
    async with running() as server, server.page("host") as person:
        nonsense = ("", "{", '{"type":"viewer_camera","yaw":1e999}', '{"type":"answer","sdp":""}', '{"type":"join"}')
        for text in nonsense:
            person.said.pop(Failure, None)
            person.channel.send(text)
            await until(lambda: Failure in person.said)
            assert person.said[Failure].code == "bad_message" and not person.said[Failure].final
        person.channel.send(b"\xff\x00")
        await person.socket.send(b"\xff")
        await person.socket.send("nonsense")
        person.say(ViewerCamera(True, -1, 1e300, -1e300, 1e300))
        person.say(ViewerCamera())
        person.said.pop(Pong, None)
        person.say(Ping(1.0))
        await until(lambda: Pong in person.said and shows(person, server.brightness))


@pytest.mark.parametrize("first", ['{"type":"bye"}', "nonsense", "x" * 5000, b"\xff"])
async def test_a_socket_that_begins_with_anything_but_a_hello_is_told_and_hung_up(first: str | bytes) -> None:
    async with running() as server, connect(server.socket) as socket:
        await socket.send(first)
        failure = decode_from_server(await socket.recv())
        assert isinstance(failure, Failure) and failure.code == "bad_message" and failure.final and "\n" not in failure.message
        await socket.wait_closed()


async def test_an_offer_that_cannot_be_answered_is_one_sentence_and_may_be_mended() -> None:
    async with running() as server:
        page = server.page("viewer")
        await page.enter()
        for sdp in ("", "v=0\r\n", "m=video 9 UDP/TLS/RTP/SAVPF 97\r\n" * 9):
            await page.tell(Offer(sdp))
            while not isinstance(failure := decode_from_server(await page.socket.recv()), Failure):
                pass
            assert failure.code == "media" and not failure.final and "\n" not in failure.message
        await page.offer()
        await page.until_open()
        assert page.said[Answer].sdp and page.pc.signalingState == "stable"
        await page.leave()


async def test_a_server_without_a_free_media_port_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        async with running(ice_addresses=("127.0.0.1",), ice_ports=(port, port)) as server:
            with pytest.raises(RefusedError) as error:
                await server.page("viewer").connect()
            assert error.value.failure.code == "media" and not error.value.failure.final
            assert "UDP port" in error.value.failure.message and "no UDP port is free" in caplog.text


async def test_all_are_back_in_their_seats_after_a_restart(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ada, bob = Join("Ada"), Join("Bob")
    for first in ("Ada", "Bob"):  # who was second is the first to be back
        async with running(port=port, state=tmp_path) as server, AsyncExitStack() as pages:
            seated = {"Ada": server.page("host", ada), "Bob": server.page("person", bob)}
            async with asyncio.timeout(100):
                await pages.enter_async_context(seated.pop(first))
                (second,) = seated.values()
                others = [server.page("viewer") for _ in range(6)]
                await asyncio.gather(*(pages.enter_async_context(page) for page in (second, *others)))
                await until(partial(lambda page: _names(page) == ["Ada", "Bob"], second))
            ada, bob = Join("Ada", order=0), Join("Bob", order=1)


async def test_a_page_that_takes_only_short_messages_does_not_stop_the_others_figures() -> None:
    async with running() as server, server.page("viewer") as odd:
        peer = next(iter(server.room._peers.values()))
        peer._pc.sctp._remote_max_message_size = 1
        odd.say(Ping(1.0))
        async with server.page("viewer") as other:
            await until(lambda: Stats in other.said)


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
