"""Voice against picture at a listener's page: a webcam's light and a microphone's bursts, in headless Chromium.

Two pages of one browser: a speaker, whose webcam is `latency.webcam` and whose microphone says short vowels at uneven times, and
a viewer. Of each burst is measured how long it takes from the speaker's microphone track to what the viewer's page gives the
loudspeaker, and of each change of the light how long it takes to the viewer's picture, as `latency` does: both by the clock of
one machine. What camera, screen, microphone and loudspeaker themselves take is not in it, nor is a network.
"""

from __future__ import annotations

import tempfile
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.errors import VisavisError
from server.benchmarks import latency
from server.benchmarks.browser import FLAGS, WARM_UP_MS, browsing

if TYPE_CHECKING:
    from playwright.sync_api import Page

RATE = 48_000
"""Samples a second of the microphone."""
BURST, PITCH = 0.15, 140.0
"""Seconds of a vowel, and hertz: what noise suppression lets pass."""
PAUSES = (0.46, 0.57, 0.51, 0.64, 0.43, 0.68, 0.54, 0.6)
"""Seconds between two of them, never twice the same."""
TOGETHER = 1000.0
"""Milliseconds between a burst and a change of the light within which they are compared."""
LONGEST = 1000.0
"""Milliseconds within which a burst that was said is heard, or it was lost."""
SPEAKER = """
Object.defineProperty(document, "hidden", { get: () => true }); // nothing is drawn for it
Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
window.said = [];
const record = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await record(wanted);
  const [track] = stream.getAudioTracks();
  if (track) void listen(track.clone());
  return stream;
};
async function listen(track) {
  const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 100 }).readable.getReader();
  let [earliest, quiet] = [Infinity, 0]; // of when sound came against its own stamps; this page may be busy then
  for (;;) {
    const { value: sound, done } = await reader.read();
    if (done) return;
    const [samples, rate, stamp] = [new Float32Array(sound.numberOfFrames), sound.sampleRate, sound.timestamp / 1000];
    earliest = Math.min(earliest, performance.timeOrigin + performance.now() - stamp - (1000 * samples.length) / rate);
    sound.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
    sound.close();
    samples.forEach((value, i) => {
      if (Math.abs(value) > LOUD && quiet > QUIET * rate) window.said.push(earliest + stamp + (1000 * i) / rate);
      quiet = Math.abs(value) > LOUD ? 0 : quiet + 1;
    });
  }
}
"""
LISTENER = """
window.heard = [];
const program = `registerProcessor("bursts", class extends AudioWorkletProcessor {
  quiet = 0;
  earliest = Infinity;
  process([[samples]]) {
    this.earliest = Math.min(this.earliest, Date.now() - 1000 * currentTime); // it is run in batches, some of them late
    for (let i = 0; i < 128; i++) {
      const value = Math.abs(samples?.[i] ?? 0);
      const begins = value > LOUD && this.quiet > QUIET * sampleRate;
      if (begins) this.port.postMessage(this.earliest + 1000 * (currentTime + i / sampleRate));
      this.quiet = value > LOUD ? 0 : this.quiet + 1;
    }
    return true;
  }
});`;
const join = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to instanceof AudioDestinationNode) void tap(this);
  return join.call(this, to, ...rest);
};
async function tap(node) {
  await node.context.audioWorklet.addModule(URL.createObjectURL(new Blob([program], { type: "text/javascript" })));
  const mono = { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" };
  const bursts = new AudioWorkletNode(node.context, "bursts", mono);
  bursts.port.onmessage = ({ data }) => window.heard.push(data);
  join.call(node, bursts);
}
"""
WORDS = {"LOUD": "0.03", "QUIET": "0.2"}
"""Full scale is 1; seconds."""

Times = NDArray[np.floating]


def bench_lip_sync(avatar: Path, seconds: float = 30.0) -> dict[str, Any]:
    """voice_ms: median from microphone to loudspeaker. picture_ms: median from webcam to half of the change in the picture, which
    the server draws. late_ms, late_p5_ms, late_p95_ms: voice minus the picture beside it, median, 5th and 95th percentile.
    bursts, changes: how many were seen. Raises `VisavisError` where none was, `MissingPartError` without playwright or Chromium.
    """
    with tempfile.TemporaryDirectory() as folder:
        microphone = Path(folder) / "microphone.wav"
        write_bursts(microphone)
        flags = (*FLAGS, f"--use-file-for-fake-audio-capture={microphone}", "--autoplay-policy=no-user-gesture-required")
        with browsing(avatar, latency.webcam(avatar), flags) as (browser, links):
            viewport: Any = dict(zip(("width", "height"), latency.WINDOW, strict=True))
            pages: dict[str, Page] = {}
            for link, own in (("host", SPEAKER), ("viewer", LISTENER)):
                context = browser.new_context(permissions=["camera", "microphone"], viewport=viewport, bypass_csp=True)
                page = context.new_page()
                page.add_init_script(latency.script("server") + _filled(own))
                page.goto(links[link] + "?autojoin=1")
                page.wait_for_selector("html[data-phase=live]", timeout=60_000)
                pages[link] = page
            return figures(**_seen(pages["host"], pages["viewer"], seconds))


def write_bursts(path: Path) -> None:
    """Vowels at uneven times as a WAV file, 16 bit mono, which Chromium plays over and over."""
    times = np.arange(round(BURST * RATE)) / RATE
    harmonics = PITCH * np.arange(1, 28)
    vowel = sum(np.cos(2 * np.pi * f * times) / (1 + ((f - 600) / 500) ** 2) for f in harmonics)
    vowel *= np.minimum(1, np.minimum(times / 0.001, (times[-1] - times) / 0.02))
    vowel *= 0.6 / np.abs(vowel).max()
    sound = np.concatenate([part for pause in PAUSES for part in (vowel, np.zeros(round(pause * RATE)))])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((sound * 32767).astype("<i2").tobytes())


def figures(said: Times, heard: Times, changed: Times, delays: Times) -> dict[str, Any]:
    """said, heard: when each burst was. changed, delays: when each change of the light was, and after how long it was seen; all
    milliseconds of one clock. Returns as `bench_lip_sync`. Raises `VisavisError` where there is nothing to compare."""
    places = np.searchsorted(said, heard, side="right") - 1
    voices = np.array([(moment, moment - said[place]) for moment, place in zip(heard, places, strict=True) if place >= 0])
    voices = voices.reshape(-1, 2)[voices.reshape(-1, 2)[:, 1] < LONGEST]
    late = list[float]()
    for moment, delay in voices if len(changed) else ():
        nearest = int(np.abs(changed - (moment - delay)).argmin())
        if abs(changed[nearest] - (moment - delay)) < TOGETHER:
            late.append(delay - delays[nearest])
    if not late:
        raise VisavisError("voice and picture were expected at the listener's page, one of them was missing; measure for longer")
    fifth, middle, highest = np.percentile(late, [5, 50, 95])
    return {
        "voice_ms": round(float(np.median(voices[:, 1])), 1),
        "picture_ms": round(float(np.median(delays)), 1),
        "late_ms": round(float(middle), 1),
        "late_p5_ms": round(float(fifth), 1),
        "late_p95_ms": round(float(highest), 1),
        "bursts": len(voices),
        "changes": len(delays),
    }


def _filled(script: str) -> str:
    for word, value in WORDS.items():
        script = script.replace(word, value)
    return script


def _seen(speaker: Page, viewer: Page, seconds: float) -> dict[str, Times]:
    viewer.wait_for_function("() => document.querySelector('[data-testid=avatar]').videoWidth > 0", timeout=120_000)
    viewer.wait_for_timeout(WARM_UP_MS)
    viewer.evaluate("name => window.watchPicture(name)", "avatar")
    for page in (speaker, viewer):
        latency.take(page)
        page.evaluate("() => { window.said = []; window.heard = []; }")
    viewer.wait_for_timeout(1000 * seconds)
    light, shown = latency.take(speaker), latency.take(viewer)
    of_speaker, of_viewer = (page.evaluate("performance.timeOrigin") for page in (speaker, viewer))
    changes = latency.changes(light.light + of_speaker, shown.times + of_viewer, shown.pictures)
    return {
        "said": np.asarray(speaker.evaluate("window.said")),
        "heard": np.asarray(viewer.evaluate("window.heard")),
        "changed": changes.moments,
        "delays": changes.halves,
    }
