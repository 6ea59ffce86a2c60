"""What drives an avatar: the webcam, what its page sends, or both, part by part."""

from __future__ import annotations

import numpy as np

from models import arkit
from models.exchange.drive_frames import KnownParts, SentFrame
from models.types import DriveFrame
from realtime.room.sources import HELD, MOUTH, Parts, Sources

TURNED = np.array([0.8, 0.0, 0.6, 0.0])


def face(value: float, confidence: float = 0.9, turned: bool = False) -> DriveFrame:
    """All coefficients the same; gaze and head tell the frame too."""
    return DriveFrame(
        confidence=confidence,
        rotation=TURNED if turned else np.array([1.0, 0, 0, 0]),
        coefficients=np.full(arkit.COUNT, value, np.float32),
        gaze=np.full((2, 2), value, np.float32),
    )


def test_a_webcam_alone_is_shown_as_it_is() -> None:
    sources, drive = Sources(), face(0.5)
    shown = sources.track(drive, 1.0)
    assert shown is not None and shown[0] is drive and shown[1] == Parts(tracked=True) and shown[1].attends
    nobody = face(0.0, confidence=0.0)
    shown = sources.track(nobody, 1.1)
    assert shown is not None and shown[0] is nobody


def test_what_a_sent_frame_does_not_know_rests() -> None:
    for known in (KnownParts.HEAD, KnownParts.FACE, KnownParts.MOUTH, KnownParts.GAZE):
        shown = Sources().send(SentFrame(face(0.5, turned=True), known=known), 1.0)
        assert shown is not None
        drive, parts = shown
        assert parts == Parts(known) and drive.confidence == 0.9
        assert (drive.rotation[0] == 0.8) == (known == KnownParts.HEAD)
        assert (drive.gaze == 0.5).all() == (known == KnownParts.GAZE)
        assert (drive.coefficients[MOUTH] == 0.5).all() == (known in (KnownParts.FACE, KnownParts.MOUTH))
        assert (drive.coefficients[~MOUTH] == 0.5).all() == (known == KnownParts.FACE)
        assert (drive.coefficients[~MOUTH] == 0).all() == (known != KnownParts.FACE)


def test_sound_stands_in_for_the_mouth_of_a_webcam() -> None:
    sources = Sources()
    sources.track(face(0.3, turned=True), 1.0)
    assert sources.send(SentFrame(face(0.7), known=KnownParts.MOUTH), 1.01) is None, "the webcam gives the beat"
    shown = sources.track(face(0.4, turned=True), 1.03)
    assert shown is not None
    drive, parts = shown
    assert parts == Parts(KnownParts.MOUTH, tracked=True) and parts.attends
    assert drive.rotation[0] == 0.8 and (drive.gaze == np.float32(0.4)).all()
    assert (drive.coefficients[MOUTH] == np.float32(0.7)).all() and (drive.coefficients[~MOUTH] == np.float32(0.4)).all()


def test_a_headset_leads_and_its_look_is_not_turned() -> None:
    sources = Sources()
    sources.track(face(0.3), 1.0)
    shown = sources.send(SentFrame(face(0.7, turned=True), known=KnownParts.HEAD | KnownParts.IN_ROOM), 1.01)
    assert shown is not None and shown[0].rotation[0] == 0.8 and not shown[1].attends
    assert (shown[0].coefficients == np.float32(0.3)).all()
    assert sources.track(face(0.4), 1.03) is None, "the headset gives the beat"
    other = Sources().send(SentFrame(face(0.7), known=KnownParts.HEAD), 1.0)
    assert other is not None and other[1].attends


def test_a_source_that_stops_is_left_out() -> None:
    sources = Sources()
    sources.track(face(0.3), 1.0)
    sources.send(SentFrame(face(0.7), known=KnownParts.FACE), 1.0)
    late = 1.0 + HELD + 0.01
    shown = sources.track(face(0.4), late)
    assert shown is not None and shown[1] == Parts(tracked=True) and (shown[0].coefficients == np.float32(0.4)).all()
    later = late + HELD + 0.01
    shown = sources.send(SentFrame(face(0.7), known=KnownParts.MOUTH), later)
    assert shown is not None and shown[1] == Parts(KnownParts.MOUTH) and (shown[0].coefficients[~MOUTH] == 0).all()


def test_a_webcam_without_a_face_changes_nothing_of_what_is_sent() -> None:
    sources = Sources()
    sources.send(SentFrame(face(0.7), known=KnownParts.MOUTH), 1.0)
    assert sources.track(face(0.0, confidence=0.0), 1.01) is None
    assert sources.send(SentFrame(face(0.7, confidence=0.0)), 1.0 + HELD + 0.1) is None, "nothing is seen there"
