from __future__ import annotations

import random

from aiortc.rtp import RtpPacket

from realtime.receiving import CAPACITY, REORDER_WAIT, PromptJitterBuffer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def packets(sizes: list[int], first: int = 65_530) -> list[RtpPacket]:
    """Frames of the given numbers of packets; the payload says which frame and packet; sequence numbers wrap."""
    made: list[RtpPacket] = []
    for frame, size in enumerate(sizes):
        for part in range(size):
            packet = RtpPacket(sequence_number=(first + len(made)) % 65536, timestamp=3000 * frame, marker=part == size - 1)
            packet._data = f"{frame}.{part} ".encode()  # type: ignore[attr-defined]
            made.append(packet)
    return made


def expected(frame: int, size: int) -> bytes:
    return b"".join(f"{frame}.{part} ".encode() for part in range(size))


def test_a_frame_leaves_with_its_last_packet() -> None:
    buffer = PromptJitterBuffer()
    sizes = [1, 3, 2]
    for frame, size in enumerate(sizes):
        group = [p for p in packets(sizes) if p.timestamp == 3000 * frame]
        results = [buffer.add(packet) for packet in group]
        assert all(result == (False, None) for result in results[:-1])
        lost, whole = results[-1]
        assert not lost and whole is not None
        assert (whole.data, whole.timestamp) == (expected(frame, size), 3000 * frame)


def test_packets_out_of_order_make_the_same_frames() -> None:
    shuffled = random.Random(4)
    sizes = [3, 1, 4, 2, 5, 1]
    everything = packets(sizes)
    head, rest = everything[0], everything[1:]
    for start in range(0, len(rest), 4):
        block = rest[start : start + 4]
        shuffled.shuffle(block)
        rest[start : start + 4] = block
    buffer = PromptJitterBuffer()
    frames = [frame for packet in [head, *rest] if (frame := buffer.add(packet)[1]) is not None]
    while (frame := buffer._take_marked()) is not None:
        frames.append(frame)
    assert [f.data for f in frames] == [expected(i, size) for i, size in enumerate(sizes)]


def test_a_lost_packet_is_waited_for_then_skipped_with_a_keyframe_request() -> None:
    clock = Clock()
    buffer = PromptJitterBuffer(clock)
    sizes = [2, 3, 2, 2, 2, 2]
    stream = [p for i, p in enumerate(packets(sizes)) if i != 3]  # the middle of frame 1
    frames, requests = [], []
    for packet in stream:
        clock.now += REORDER_WAIT / 3
        lost, frame = buffer.add(packet)
        requests.append(lost)
        frames += [frame.data] if frame is not None else []
    assert requests.count(True) == 1
    assert frames[0] == expected(0, 2) and expected(1, 3) not in frames
    assert all(data in [expected(i, size) for i, size in enumerate(sizes)] for data in frames)
    assert frames[-1] == expected(5, 2)


def test_a_packet_that_is_sent_again_in_time_is_no_loss() -> None:
    clock = Clock()
    buffer = PromptJitterBuffer(clock)
    first, missing, last, *after = packets([3, 1])
    assert buffer.add(first) == (False, None)
    assert buffer.add(last) == (False, None)
    clock.now += REORDER_WAIT / 2
    lost, frame = buffer.add(missing)
    assert not lost and frame is not None and frame.data == expected(0, 3)
    assert buffer.add(after[0])[1] is not None


def test_probing_packets_without_payload_make_no_frame() -> None:
    buffer = PromptJitterBuffer()
    stream = packets([1, 1, 1, 2])
    for padding in stream[1:3]:
        padding._data, padding.marker, padding.timestamp = b"", 0, 0  # type: ignore[attr-defined]
    frames = [frame for packet in stream if (frame := buffer.add(packet)[1]) is not None]
    assert [f.data for f in frames] == [b"0.0 ", b"3.0 3.1 "]


def test_any_stream_leaves_the_buffer_bounded_and_frames_whole() -> None:
    rng = random.Random(1)
    clock = Clock()
    buffer = PromptJitterBuffer(clock)
    sizes = [rng.randint(1, 12) for _ in range(800)]
    whole = {expected(i, size) for i, size in enumerate(sizes)}
    count = 0
    for packet in packets(sizes):
        clock.now += 0.004
        if rng.random() < 0.02:
            continue
        _, frame = buffer.add(packet)
        if frame is not None:
            assert frame.data in whole
            count += 1
    assert count > 300
    assert sum(p is not None for p in buffer._packets) < CAPACITY
