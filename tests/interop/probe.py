"""What runs inside a browser's page: before it, to look over its shoulder, and during the call, to read what came."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Protocol

WATCH = """(options) => {
  const watched = (globalThis.interop = { connections: [], sockets: [], channels: [], listener: null });
  const Connection = RTCPeerConnection;
  globalThis.RTCPeerConnection = class extends Connection {
    constructor(configuration) {
      super({ ...configuration, ...options.configuration });
      watched.connections.push(this);
    }
    createDataChannel(...how) {
      const channel = super.createDataChannel(...how);
      if (channel.label === 'control') watched.channels.push(channel);
      return channel;
    }
  };
  const Socket = WebSocket;
  globalThis.WebSocket = class extends Socket {
    constructor(...how) {
      super(...how);
      watched.sockets.push(this);
    }
  };
  if (options.codec) {
    const prefer = RTCRtpTransceiver.prototype.setCodecPreferences;
    RTCRtpTransceiver.prototype.setCodecPreferences = function (codecs) {
      prefer.call(this, codecs.filter(({ mimeType }) => mimeType.toLowerCase() === options.codec));
    };
  }
  const preferences = { ...options.preferences, ...(options.avatar && { avatar: options.avatar }) };
  const isSet = Object.keys(preferences).length > 0 && location.host;
  if (isSet) localStorage.setItem('visavis.preferences', JSON.stringify(preferences));
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target === this.context.destination) {
      watched.listener = this.context.createAnalyser();
      connect.call(this, watched.listener);
    }
    return connect.call(this, target, ...rest);
  };
}"""
"""Keeps the page's peer connections, `control` channels and sockets, and listens to what goes to the loudspeakers. options:
`configuration` overrides the page's RTCConfiguration; `codec` is the only one that it offers for video (a MIME type); `avatar` is
the id of the one that it takes; `preferences` are others of the page."""

READ = """async () => {
  const { connections, sockets, listener } = globalThis.interop ?? { connections: [], sockets: [] };
  const pc = connections.at(-1);
  const seen = { phase: document.documentElement.dataset.phase, connections: connections.length, sockets: sockets.length };
  Object.assign(seen, { decoded: 0, energy: 0, voices: 0, loudness: 0, messages: 0 });
  if (!pc || pc.signalingState === 'closed' || !pc.remoteDescription) return JSON.stringify(seen);
  let stats = [], transceivers = [];
  try {
    const late = new Promise((_, no) => setTimeout(no, 2000)); // Firefox never answers when the connection is closed meanwhile
    stats = [...(await Promise.race([pc.getStats(), late])).values()];
    transceivers = pc.getTransceivers();
  } catch {
    return JSON.stringify(seen); // closed meanwhile
  }
  const all = (type, kind) => stats.filter((entry) => entry.type === type && (!kind || entry.kind === kind));
  const byId = (id) => stats.find((entry) => entry.id === id) ?? {};
  const isUsed = ({ nominated, state, selected }) => nominated && state === 'succeeded' && selected !== false;
  const pair = all('candidate-pair').find(isUsed);
  const video = document.querySelector('[data-testid=avatar]');
  if (video?.videoWidth) {
    const context = new OffscreenCanvas(1, 1).getContext('2d');
    context.drawImage(video, video.videoWidth / 2, video.videoHeight / 2, 1, 1, 0, 0, 1, 1);
    seen.color = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  }
  if (listener) {
    const wave = new Float32Array(listener.fftSize);
    listener.getFloatTimeDomainData(wave);
    seen.loudness = Math.max(...wave.map(Math.abs));
  }
  const [picture = {}] = all('inbound-rtp', 'video');
  const transports = transceivers.map(({ receiver, sender }) => receiver.transport ?? sender.transport);
  return JSON.stringify({
    ...seen,
    decoded: picture.framesDecoded ?? 0,
    codec: byId(picture.codecId).mimeType,
    sentCodec: byId(all('outbound-rtp', 'video')[0]?.codecId).mimeType,
    energy: all('inbound-rtp', 'audio').reduce((sum, { totalAudioEnergy }) => sum + (totalAudioEnergy ?? 0), 0),
    voices: all('inbound-rtp', 'audio').filter(({ packetsReceived }) => packetsReceived > 10).length,
    sections: transceivers.map(({ receiver, currentDirection }) => `${receiver.track.kind} ${currentDirection}`),
    transports: new Set([...transports.filter(Boolean), pc.sctp.transport]).size,
    messages: all('data-channel').reduce((sum, { messagesReceived }) => sum + (messagesReceived ?? 0), 0),
    local: byId(pair?.localCandidateId).candidateType,
    remote: byId(pair?.remoteCandidateId).candidateType,
    relay: byId(pair?.localCandidateId).relayProtocol,
  });
}"""
"""JSON of one moment. color: of the picture's middle; loudness: 0 to 1, of all voices mixed; energy: of the voices that were
decoded; decoded: pictures; voices: sound lines that carry something; transports: DTLS transports; messages: on the data channels;
local, remote, relay: of the candidate pair."""

WAIT = 30.0
"""Seconds for a page to come as far as expected."""


class BrowserPage(Protocol):
    """A page, in whichever browser."""

    async def open(self, url: str) -> None:
        """Load it."""

    async def run(self, function: str) -> Any:
        """What the function of no arguments returns (a string, a number or nothing); a promise is awaited."""


async def seen(page: BrowserPage, expected: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first moment that is as expected. A moment's missing keys are None. Fails with the last moment after `WAIT`."""
    moment: dict[str, Any] = {}
    try:
        async with asyncio.timeout(WAIT):
            while not (moment and expected(_Moment(moment))):
                await asyncio.sleep(0.1)
                moment = json.loads(await page.run(READ))
    except TimeoutError:
        raise AssertionError(f"the page has not come as far as expected: {moment}") from None
    return _Moment(moment)


class _Moment(dict[str, Any]):
    def __missing__(self, key: str) -> None:
        return None
