/** The page on the whole screen, where the browser can. */

export function isFullscreen(): boolean {
  return document.fullscreenElement !== null;
}

export function toggleFullscreen(refused: () => void): void {
  if (isFullscreen()) void document.exitFullscreen();
  else document.documentElement.requestFullscreen().catch(refused);
}

/** Returns the function that ends the watching. */
export function watchFullscreen(changed: () => void): () => void {
  document.addEventListener("fullscreenchange", changed);
  return () => document.removeEventListener("fullscreenchange", changed);
}
