/** Numbers about the connection, from the browser's statistics, and what they mean in a word. No DOM. */

/** Everything per second or since the last reading; null where the browser does not say. */
export interface Figures {
  fps: number | null;
  /** Pictures that were decoded so far. */
  pictures: number | null;
  width: number | null;
  height: number | null;
  codec: string | null;
  bitrateDown: number | null;
  bitrateUp: number | null;
  /** Lost packets as a part of all sent to us since the last reading, [0, 1]. */
  loss: number | null;
  dropped: number | null;
  /** Milliseconds. */
  roundTrip: number | null;
  /** Milliseconds that a picture waited before it was shown, since the last reading. */
  waited: number | null;
  /** The same of sound. */
  voicesWaited: number | null;
  /** Sound that the browser made up for packets that were not there in time, as a part of all, [0, 1]. */
  concealed: number | null;
}

/** One entry of an RTCStatsReport: W3C webrtc-stats names. */
type Entry = Record<string, unknown> & { id: string; type: string };

interface Totals {
  at: number;
  down: number | null;
  up: number | null;
  lost: number | null;
  received: number | null;
  frames: number | null;
  waited: number | null;
  emitted: number | null;
  voicesWaited: number | null;
  voicesEmitted: number | null;
  concealed: number | null;
  samples: number | null;
}

export class FigureReader {
  private before: Totals | null = null;

  /** `now` in milliseconds; the first reading has no rates yet. */
  read(report: Iterable<[string, unknown]>, now: number): Figures {
    const entries = new Map([...report].map(([id, entry]) => [id, entry as Entry]));
    const find = (type: string, kind?: string): Entry | undefined =>
      [...entries.values()].find((e) => e.type === type && (kind === undefined || e.kind === kind));
    const inbound = find("inbound-rtp", "video");
    const outbound = find("outbound-rtp", "video");
    const voices = [...entries.values()].filter((e) => e.type === "inbound-rtp" && e.kind === "audio");
    const pair = selectedPair(entries);
    const totals: Totals = {
      at: now,
      down: number(pair, "bytesReceived") ?? number(inbound, "bytesReceived"),
      up: number(pair, "bytesSent") ?? number(outbound, "bytesSent"),
      lost: number(inbound, "packetsLost"),
      received: number(inbound, "packetsReceived"),
      frames: number(inbound, "framesDecoded"),
      waited: number(inbound, "jitterBufferDelay"),
      emitted: number(inbound, "jitterBufferEmittedCount"),
      voicesWaited: sum(voices.map((voice) => number(voice, "jitterBufferDelay"))),
      voicesEmitted: sum(voices.map((voice) => number(voice, "jitterBufferEmittedCount"))),
      concealed: sum(voices.map(concealedAloud)),
      samples: sum(voices.map(samplesAloud)),
    };
    const before = this.before;
    this.before = totals;
    const roundTrip = number(pair, "currentRoundTripTime");
    const codec = entries.get(String(inbound?.codecId ?? ""))?.mimeType;
    return {
      fps: number(inbound, "framesPerSecond") ?? rate(before, totals, "frames"),
      pictures: totals.frames,
      width: number(inbound, "frameWidth"),
      height: number(inbound, "frameHeight"),
      codec: typeof codec === "string" ? codec.replace(/^video\//, "") : null,
      bitrateDown: times(8, rate(before, totals, "down")),
      bitrateUp: times(8, rate(before, totals, "up")),
      loss: lossBetween(before, totals),
      dropped: number(inbound, "framesDropped"),
      roundTrip: times(1000, roundTrip),
      waited: times(1000, ratio(before, totals, "waited", "emitted")),
      voicesWaited: times(1000, ratio(before, totals, "voicesWaited", "voicesEmitted")),
      concealed: ratio(before, totals, "concealed", "samples"),
    };
  }
}

/** Chromium and Safari name the pair in the transport; Firefox marks the pair itself. */
function selectedPair(entries: Map<string, Entry>): Entry | undefined {
  for (const entry of entries.values()) {
    if (entry.type === "transport" && typeof entry.selectedCandidatePairId === "string") {
      return entries.get(entry.selectedCandidatePairId);
    }
  }
  return [...entries.values()].find((e) => e.type === "candidate-pair" && (e.selected === true || e.nominated === true));
}

function number(entry: Entry | undefined, name: string): number | null {
  const value = entry?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function rate(before: Totals | null, after: Totals, name: "down" | "up" | "frames"): number | null {
  const [a, b] = [before?.[name] ?? null, after[name]];
  if (!before || a === null || b === null || b < a || after.at <= before.at) return null;
  return ((b - a) * 1000) / (after.at - before.at);
}

function times(factor: number, value: number | null): number | null {
  return value === null ? null : value * factor;
}

/** How much `part` grew for each one that `whole` grew; null while nothing did. */
function ratio(before: Totals | null, after: Totals, part: keyof Totals, whole: keyof Totals): number | null {
  const [p0, p1, w0, w1] = [before?.[part] ?? null, after[part], before?.[whole] ?? null, after[whole]];
  if (p0 === null || p1 === null || w0 === null || w1 === null || w1 <= w0) return null;
  return Math.max(0, p1 - p0) / (w1 - w0);
}

/** Samples made up; those made up as silence, because nothing is being sent, are not missed. */
function concealedAloud(sound: Entry): number | null {
  return minus(number(sound, "concealedSamples"), number(sound, "silentConcealedSamples"));
}

/** Samples of a voice, without the silence of one that sends nothing, which would hide what another voice lacks. */
function samplesAloud(sound: Entry): number | null {
  return minus(number(sound, "totalSamplesReceived"), number(sound, "silentConcealedSamples"));
}

function minus(all: number | null, part: number | null): number | null {
  return all === null ? null : all - (part ?? 0);
}

/** Of those that are known; null where none is. */
function sum(values: (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? known.reduce((a, b) => a + b, 0) : null;
}

function lossBetween(before: Totals | null, after: Totals): number | null {
  if (before?.lost == null || before.received === null || after.lost === null || after.received === null) return null;
  const lost = Math.max(0, after.lost - before.lost);
  const received = Math.max(0, after.received - before.received);
  return lost + received === 0 ? null : lost / (lost + received);
}
