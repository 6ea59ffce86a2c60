"""The one exception tree of Visavis.

Every message is one sentence that says what was expected, what came, and what to do. The command line prints it and exits
with status 2; the server sends it to the page. Anything that is not a `VisavisError` is a bug.
"""

from __future__ import annotations


class VisavisError(Exception):
    """Something the person at the keyboard can mend. `str(error)` is one plain sentence."""

    exit_code = 2


class PhotoError(VisavisError):
    """A picture that cannot become an avatar: unreadable, too large, no face, face too small or turned away."""


class ClipError(VisavisError):
    """A recording that cannot be read or holds no usable video."""


class AvatarFileError(VisavisError):
    """An `.avatar` file that is truncated, altered, of another version, or beyond its limits."""


class CaptureError(VisavisError):
    """Frames from which no avatar can be made: none usable, cameras that do not fit the pictures, too much for the memory."""


class HeadModelError(VisavisError):
    """A head model or its asset file that is missing or malformed."""


class StorageError(VisavisError):
    """The disk refused: full, read-only, no such folder. Whatever stood there before is untouched."""


class MissingPartError(VisavisError):
    """An optional part is not installed; the message says how to get it."""


class ProtocolError(VisavisError):
    """A message from a peer that does not follow the protocol."""


class Cancelled(VisavisError):  # noqa: N818 - what happened, not an error
    """The person asked to stop; nothing half-written is left behind."""

    exit_code = 130
