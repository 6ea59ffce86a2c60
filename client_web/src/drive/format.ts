// Generated from models/exchange/drive_frames.py by `python -m server.call.generate_protocol`. Change that file, not this one.

export const VERSION = 2;
export const DRIVE_FRAMES = 1;
export const LANDMARK_FRAMES = 2;
export const HEADER_BYTES = 3;
export const SHORTEST = 37;
export const LONGEST = 89;
export const MOST = 16;
export const COEFFICIENTS = 52;
export const ROTATION_STEPS = 46340;
export const TRANSLATION_STEPS = 10000;
export const GAZE_STEPS = 1300;
export const BYTE_STEPS = 255;
export const LARGEST_AT = 6;
export const MAX_TRANSLATION = 3.2767;
export const MAX_GAZE = 1.5707963267948966;
export const MAX_REST = 0.76;

/** Where in a record each of its parts begins, bytes. */
export const AT = { participant: 0, sequence: 4, time: 6, known: 10, confidence: 11, rotation: 12, translation: 18, gaze: 24, filled: 30 } as const;

/** What a frame says something about, bits of `DriveFrame.known`: see `KnownParts` there. */
export const Known = { HEAD: 1, FACE: 2, MOUTH: 4, GAZE: 8, IN_ROOM: 16 } as const;
