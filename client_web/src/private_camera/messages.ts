/** What page and worker say to each other. */

export type ToWorker =
  /** files: addresses of the package's files by name. */
  | { kind: "start"; files: Readonly<Record<string, string>> }
  /** time: milliseconds of the page's clock. */
  | { kind: "picture"; bitmap: ImageBitmap; sequence: number; time: number }
  /** Whether the page should be told from time to time to look for a picture. */
  | { kind: "tick"; on: boolean };

export type FromWorker =
  | { kind: "ready" }
  /** A message of drive/landmark_wire.ts. milliseconds: what the picture took. */
  | { kind: "seen"; message: ArrayBuffer; milliseconds: number }
  | { kind: "tick" }
  /** The worker is of no more use. */
  | { kind: "failed" };
