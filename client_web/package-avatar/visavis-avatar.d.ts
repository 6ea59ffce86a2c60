/** One moment of a face; what is left out goes on as it was by itself. */
export interface AvatarFrame {
  /** ARKit's coefficients by name, or all 52 in Apple's order; each in [0, 1]. */
  coefficients?: Record<string, number> | ArrayLike<number>;
  /** Of the head, unit quaternion wxyz: identity looks straight ahead; x right in the picture, y up, z towards the viewer. */
  rotation?: ArrayLike<number>;
  /** Of the head from where it rests, metres. */
  translation?: ArrayLike<number>;
  /** Radians: yaw (towards the person's left) and pitch (up), left eye first. */
  gaze?: ArrayLike<number>;
}

export type Sound = MediaStream | MediaStreamTrack | AudioNode | HTMLMediaElement;

/** Events: `ready` when it can be seen; `error`, whose `message` is a sentence for people. */
export declare class VisavisAvatar extends HTMLElement {
  /** Address of a .webavatar file. */
  src: string;
  /** A viewers' link of a room. */
  room: string;
  /** Shows a .webavatar file that the page has already. */
  load(file: ArrayBuffer): void;
  /** Shows a moment of a face. After 0.7 s without another the avatar lives by itself again. Throws `TypeError` with a sentence. */
  drive(frame: AvatarFrame): void;
  /** Lets a sound move the mouth; null for none. */
  listen(sound: Sound | null): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "visavis-avatar": VisavisAvatar;
  }
}
