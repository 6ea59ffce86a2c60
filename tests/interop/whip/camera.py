"""A camera and microphone of GStreamer (webrtcbin), by WHIP: `/usr/bin/python3 camera.py URL TOKEN CODEC`, until stdin ends.

Run by the system's Python, which has GStreamer's bindings (python3-gi).
"""

import importlib
import sys
import threading
import urllib.request
from urllib.parse import urljoin

BINDINGS = "gi"  # of the system's Python, not a package of ours
gi = importlib.import_module(BINDINGS)
gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
GLib, Gst, GstSdp, GstWebRTC = (
    importlib.import_module(f"{BINDINGS}.repository.{n}") for n in ("GLib", "Gst", "GstSdp", "GstWebRTC")
)

VIDEO = {
    "VP8": "vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay",
    "H264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=30 ! h264parse ! rtph264pay config-interval=-1",
}
PIPELINE = """webrtcbin name=camera bundle-policy=max-bundle
videotestsrc is-live=true pattern=white ! video/x-raw,width=160,height=120,framerate=30/1 ! {video} pt=96 ssrc=1
  ! application/x-rtp,media=video,encoding-name={codec},payload=96 ! camera.
audiotestsrc is-live=true ! audio/x-raw,rate=48000 ! audioconvert ! opusenc ! rtpopuspay pt=100 ssrc=2
  ! application/x-rtp,media=audio,encoding-name=OPUS,payload=100 ! camera."""


class Camera:
    def __init__(self, url: str, token: str, codec: str) -> None:
        self.url, self.headers = url, {"Authorization": f"Bearer {token}"}
        self.session = ""
        self.pipeline = Gst.parse_launch(PIPELINE.format(video=VIDEO[codec], codec=codec))
        self.peer = self.pipeline.get_by_name("camera")
        self.peer.connect("on-negotiation-needed", self.negotiate)
        self.peer.connect("notify::ice-gathering-state", self.gathered)
        self.pipeline.set_state(Gst.State.PLAYING)

    def negotiate(self, _: object) -> None:
        for index in range(2):
            transceiver = self.peer.emit("get-transceiver", index)
            transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))

    def offered(self, promise: object) -> None:
        reply = promise.get_reply()  # type: ignore[attr-defined]  # held, as it owns what is in it
        self.offer = reply.get_value("offer")
        self.peer.emit("set-local-description", self.offer, Gst.Promise.new())

    def gathered(self, *_: object) -> None:
        if self.peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE and not self.session:
            self.session = "asked"
            threading.Thread(target=self.post, daemon=True).start()

    def post(self) -> None:
        offer = self.peer.get_property("local-description").sdp.as_text().encode()
        request = urllib.request.Request(self.url, offer, self.headers | {"Content-Type": "application/sdp"})
        with urllib.request.urlopen(request, timeout=20) as reply:
            self.session = urljoin(self.url, reply.headers["Location"])
            _, sdp = GstSdp.SDPMessage.new_from_text(reply.read().decode())
        self.answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.peer.emit("set-remote-description", self.answer, Gst.Promise.new())

    def end(self) -> None:
        urllib.request.urlopen(urllib.request.Request(self.session, headers=self.headers, method="DELETE"), timeout=20).close()


def main() -> None:
    Gst.init(None)
    camera, loop = Camera(*sys.argv[1:4]), GLib.MainLoop()

    def wait() -> None:
        sys.stdin.read()
        camera.end()
        loop.quit()

    threading.Thread(target=wait, daemon=True).start()
    loop.run()


if __name__ == "__main__":
    main()
