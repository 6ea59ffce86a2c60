/** The viewer's own picture behind the people. It stays in this browser: nothing of it is sent. */

const KEY = "visavis.background";
/** Pixels of the longer side that is kept. */
const MOST_PIXELS = 1920;
/** Bytes of a file, and characters that a browser's storage has room for beside all else. */
export const MOST_BYTES = 40_000_000;
const MOST_KEPT = 3_000_000;

export interface OwnPicture {
  /** An address within this page. */
  url: string;
  /** Mean brightness, [0, 1]. */
  brightness: number;
}

export class PictureError extends Error {}

/** Reads a file that the viewer chose. Throws `PictureError` with a sentence. `kept`: whether the browser has room to keep it. */
export async function readPicture(file: File): Promise<OwnPicture & { kept: boolean }> {
  if (file.size > MOST_BYTES) throw new PictureError("This file is larger than 40 MB: choose a smaller picture.");
  const canvas = await drawn(file);
  if (!canvas) throw new PictureError("This file is not a picture that your browser can read: choose a JPEG, PNG or WebP file.");
  const data = canvas.toDataURL("image/jpeg", 0.85);
  let kept = data.length <= MOST_KEPT;
  try {
    if (kept) localStorage.setItem(KEY, data);
    else localStorage.removeItem(KEY);
  } catch {
    kept = false;
  }
  return { ...(await shown(data)), kept };
}

/** The picture of an earlier visit; null without one. */
export async function keptPicture(): Promise<OwnPicture | null> {
  try {
    const data = localStorage.getItem(KEY);
    return data?.startsWith("data:image/jpeg;base64,") ? await shown(data) : null;
  } catch {
    return null;
  }
}

async function shown(data: string): Promise<OwnPicture> {
  const bytes = Uint8Array.from(atob(data.slice(data.indexOf(",") + 1)), (c) => c.charCodeAt(0));
  const blob = new Blob([bytes], { type: "image/jpeg" });
  const canvas = await drawn(blob, 16);
  return { url: URL.createObjectURL(blob), brightness: canvas ? brightnessOf(canvas) : 0.5 };
}

/** The picture in pixels, at most so large; null where the browser cannot read it. */
async function drawn(file: Blob, most = MOST_PIXELS): Promise<HTMLCanvasElement | null> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return null;
  }
  const scale = Math.min(1, most / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

function brightnessOf(canvas: HTMLCanvasElement): number {
  const data = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += 0.299 * (data[at] ?? 0) + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0);
  return sum / (255 * Math.max(1, data.length / 4));
}
