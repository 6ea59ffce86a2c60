"""The work behind `visavis drive`: a recorded clip drives an avatar, and the rendered pictures are written."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from models import avatar_file, credentials, outputs, provenance
from models.avatar import Avatar, AvatarPoser
from models.errors import VisavisError
from models.exchange import drive_recording
from models.heads.base import HeadModel
from models.heads.registry import by_name
from models.posture import pose_of
from models.progress import ProgressCallback, no_progress
from models.renderer import AvatarRenderer, head_matrix, tracked_camera
from models.splat.choose import best
from models.tracking.dense_alignment import Aligner
from models.tracking.landmarks import Pixels
from models.tracking.matting import matte, matte_frame, person_alone
from models.tracking.offline import Motion, Reenactment, track_clip
from models.tracking.synthesis import Synthesis
from models.types import Array64, Camera, DriveFrame, Picture
from models.video.reader import Clip, open_clip
from models.video.writer import is_for_folder, is_our_clip, is_our_picture, open_writer
from realtime.rest import relative

CameraPath = Literal["tracked", "front", "orbit"]
"""The clip's own camera and head pose; a camera that faces the resting head; a camera that goes around it once."""
BLACK = (0.0, 0.0, 0.0)
CLIP = outputs.Kind("an MP4 recording", ".mp4", is_our_clip)
RECORDING = outputs.Kind("a recording of drive frames", drive_recording.ENDING, drive_recording.is_one)
PNG_BYTES, MP4_BYTES = 0.3, 0.01
"""Of a pixel, at least: much of the picture is empty."""


@dataclass(frozen=True)
class DriveSummary:
    """The result of `drive`. frames: pictures written. frames_without_face: those that repeat the last pose. seconds: of work;
    fps: pictures a second of work. reenactment: "cross" where the driver was taken for another person than the avatar's, and
    the expressions were measured from the driver's own resting face. notes: sentences about parts of the clip left out."""

    frames: int
    frames_without_face: int
    seconds: float
    fps: float
    reenactment: Reenactment
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self)


def drive(
    avatar_path: Path,
    clip_path: Path,
    out: Path,
    camera: CameraPath = "tracked",
    progress: ProgressCallback = no_progress,
    *,
    label: bool = True,
    recording: Path | None = None,
) -> DriveSummary:
    """Let the face in the clip move the avatar, and write as many pictures of the clip's size to `out`.

    camera: "tracked" draws over the clip, in its camera and head pose; "front" looks at the resting head's face; "orbit"
    goes around it once. out: a folder (RGBA PNGs, straight alpha) when it is one or has no suffix, else an .mp4 on white
    with the clip's sound. label: whether each picture says that it is synthetic
    (models/provenance.py). recording: a .jsonl file for the drive frames too, relative to the middle of the head's poses
    (models/exchange/drive_recording.py). Where no face is found the last pose stays, before the first face its pose.

    Raises `AvatarFileError`, `ClipError` (also when no picture shows a face), `StorageError`, and what `progress` raises; `out`
    is then as it was.
    """
    if camera not in get_args(CameraPath):
        raise VisavisError(f"one of the cameras {', '.join(get_args(CameraPath))} was expected, not {camera!r}; choose one")
    start = time.perf_counter()
    progress("opening", 0.0)
    avatar = avatar_file.load(Path(avatar_path))
    model = by_name(avatar.head)
    avatar_file.check(avatar, model)
    clip = open_clip(clip_path)
    if recording is not None:
        outputs.check(recording, RECORDING, inputs=[avatar_path, clip_path])
    check_output(out, clip.width * clip.height * (clip.frame_count or 1), [avatar_path, clip_path])
    with open_writer(out, clip) as writer:
        motion = track_clip(_reported(clip, progress), avatar, model, refine=camera == "tracked")
        if camera != "tracked":
            motion = motion.smoothed(clip.fps)
        if recording is not None:
            resting = resting_pose(motion.drives)
            drive_recording.write(recording, (relative(drive, resting) for drive in motion.drives))
        film = (rgb for rgb, _ in clip.frames()) if camera == "tracked" else ()
        rendered, count = pictures(avatar, model, motion, clip.width, clip.height, camera, film), len(motion.drives)
        for i, (rgba, frame) in enumerate(zip(rendered, motion.drives, strict=True)):
            progress("drawing", 0.4 + 0.6 * i / count)
            writer.write(provenance.label(rgba) if label else rgba, frame.timestamp)
        progress("done", 1.0)
    took = time.perf_counter() - start
    notes = (*clip.notes, *unsigned_note(out))
    return DriveSummary(count, motion.faceless, took, count / took, motion.reenactment, notes)


def unsigned_note(out: Path) -> tuple[str, ...]:
    """A sentence where the file that was written is not signed."""
    return () if is_for_folder(out) else tuple(filter(None, [credentials.note()]))


def check_output(out: Path, pixels: int, inputs: list[Path]) -> None:
    """Raises `StorageError` when pictures with so many pixels together cannot be written to `out`."""
    room = max(outputs.MEGABYTE, int(pixels * (PNG_BYTES if is_for_folder(out) else MP4_BYTES)))
    if is_for_folder(out):
        outputs.check_folder(out, "the pictures", is_our_picture, inputs=inputs, room=room)
    else:
        outputs.check(out, CLIP, inputs=inputs, room=room)


def pictures(
    avatar: Avatar,
    model: HeadModel,
    motion: Motion,
    width: int,
    height: int,
    camera: CameraPath = "tracked",
    film: Iterable[Pixels] = (),
    *,
    careful: bool = False,
) -> Iterator[Pixels]:
    """The avatar in each drive frame of `motion`, (height, width, 4) uint8 sRGB with straight alpha.

    film: the clip's own pictures of these frames, (height, width, 3); with "tracked" and a self-reenactment, head and shoulders
    are aligned to them (models/tracking/dense_alignment.py). careful: by mattes as good as a photo's, which doubles the time.
    """
    rasterizer = best()
    if camera == "tracked" and motion.reenactment is Reenactment.SELF and any(face is not None for face in motion.faces):
        yield from _aligned(avatar, model, motion, width, height, film, careful)
        return
    renderer = AvatarRenderer(avatar, model, rasterizer, width, height, BLACK, tracked=camera == "tracked")
    renderer.neutral = resting_pose(motion.drives)
    for i, frame in enumerate(motion.drives):
        view = _camera(renderer, motion, camera, i / len(motion.drives))
        yield straight(rasterizer.render(renderer.gaussians(frame), view, background=BLACK))


def _aligned(
    avatar: Avatar, model: HeadModel, motion: Motion, width: int, height: int, film: Iterable[Pixels], careful: bool
) -> Iterator[Pixels]:
    """`pictures` over the film of a self-reenactment. A frame without a face repeats the picture before it; the frames before
    the first face show the first face's."""
    rasterizer, poser = best(), AvatarPoser(avatar, model)
    aligner, view = Aligner(poser, rasterizer), tracked_camera(width, height, motion.focal)
    waiting = 0
    held: Pixels | None = None
    with Synthesis(aligner) as synthesis:
        for frame, face, rgb in zip(motion.drives, motion.faces, film, strict=True):
            waiting += 1
            if face is not None:
                pose = pose_of(frame, poser.person.joints)
                shown = person_alone(rgb, matte_frame(rgb, face)) if careful else (rgb, matte(rgb))
                better = aligner.refine(*shown, face.points[:, :2], view, frame.coefficients, pose)
                better = synthesis.refine(rgb, face, view, *better)
                held = straight(rasterizer.render(poser.pose(*better), view, background=BLACK))
            if held is not None:
                yield from [held] * waiting
                waiting = 0


def _camera(renderer: AvatarRenderer, motion: Motion, camera: CameraPath, part: float) -> Camera:
    if camera == "tracked":
        return tracked_camera(renderer.width, renderer.height, motion.focal)
    return renderer.view_camera(yaw=2 * np.pi * part if camera == "orbit" else 0.0)


def resting_pose(drives: Iterable[DriveFrame]) -> Array64:
    """(4, 4) rigid: the head pose that is nearest to the middle of all, avatar space -> the clip's camera."""
    poses = np.stack([head_matrix(drive) for drive in drives])
    middle = np.median(poses, axis=0)
    return np.asarray(poses[np.argmin(np.linalg.norm(poses - middle, axis=(1, 2)))])


def straight(picture: Picture) -> Pixels:
    """A picture over black as RGBA, (H, W, 4) uint8, with its colours divided by alpha."""
    alpha = picture.alpha[..., None]
    color = picture.color / np.maximum(alpha, 1 / 255)
    return np.asarray(np.concatenate([color, alpha], axis=2).clip(0, 1) * 255 + 0.5, np.float32).astype(np.uint8)


def _reported(clip: Clip, progress: ProgressCallback) -> Iterator[tuple[Pixels, float]]:
    """The clip's pictures with their times; tells `progress` as they are taken."""
    for i, (rgb, seconds) in enumerate(clip.frames()):
        progress("tracking the face", 0.4 * min(i / (clip.frame_count or i + 100), 1.0))
        yield rgb, seconds
