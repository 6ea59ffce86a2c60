import { Hints, STARTING } from "../hints";
import type { LocalMedia } from "../media";
import { Peer } from "../peer";
import type { Preferences } from "../preferences";
import type { Role, RoomState } from "../protocol";
import { Session } from "../session";
import type { Signalling } from "../signalling";
import type { Status } from "../signalling_types";
import { LatestWins } from "../throttle";
import type { View } from "../orbit";
import { linkSentence, tryingSentence, waitsForPlace } from "../words";
import type { Announcer } from "./announcer";
import { Controls } from "./controls";
import { Cover } from "./cover";
import { DevicePickers } from "./device_pickers";
import { openDialog } from "./dialog";
import { h, reducedMotion, setText } from "./dom";
import { Header } from "./header";
import { Measurements } from "./measurements";
import { Playback } from "./playback";
import { SelfView } from "./self_view";
import { listen, type Shortcut, showShortcuts } from "./shortcuts";
import { Stage } from "./stage";
import { StatsPanel } from "./stats_panel";

const CAMERA_INTERVAL = 1000 / 30;
const MEASURE_INTERVAL = 1000;
/** Taking a neutral face takes a second; asking meanwhile would only begin it anew. */
const RELAX_INTERVAL = 1500;
const STEP = Math.PI / 24;
const ZOOM_STEP = 1.1;

export interface CallOptions {
  role: Role;
  socket: string;
  machine: Signalling;
  /** The person's devices; null for a viewer. */
  media: LocalMedia | null;
  preferences: Preferences;
  announcer: Announcer;
  preferencesChanged(): void;
  statusChanged(status: Status): void;
}

/** The call itself: joins the session to the picture, the controls and the person's devices. */
export class Call {
  readonly element: HTMLElement;
  private readonly session: Session<Peer>;
  private readonly stage: Stage;
  private readonly playback: Playback;
  private readonly controls: Controls;
  private readonly header: Header;
  private readonly statsPanel: StatsPanel;
  private readonly selfView: SelfView | null;
  private readonly hints: Hints;
  private readonly measurements: Measurements;
  private readonly camera: LatestWins<View>;
  private readonly shortcuts: Shortcut[];
  private readonly cover = new Cover(() => this.session.nudge());
  private readonly hint = h("p", { class: "hint", role: "status", "data-testid": "hint", hidden: true });
  /** What the person was told already about the devices. */
  private toldTroubles: string;
  private relaxedAt = -Infinity;
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly stopListening: () => void;

  constructor(private readonly options: CallOptions) {
    const { role, machine, media, preferences } = options;
    this.session = new Session<Peer>(
      machine,
      {
        socket: () => new WebSocket(options.socket),
        peer: (iceServers, events) =>
          new Peer(role, iceServers, media?.tracks ?? { audio: null, video: null }, {
            ...events,
            track: (track) => this.received(track),
          }),
        now: () => performance.now(),
      },
      {
        status: (status) => this.showStatus(status),
        room: (room) => this.showRoom(room),
        stats: (stats) => {
          this.measurements.server = stats;
          this.hints.readStats(stats, media?.isOn("video") ?? false);
          this.draw();
        },
        roundTrip: (milliseconds) => (this.measurements.ping = milliseconds),
      },
    );
    this.toldTroubles = media?.troubles().join(" ") ?? "";
    this.camera = new LatestWins((view) => this.session.control({ type: "camera", ...view }), CAMERA_INTERVAL);
    this.measurements = new Measurements(role);
    this.stage = new Stage((view) => this.camera.push(view), () => this.playing(), () => this.turnHalted());
    this.playback = new Playback(this.stage.video, role === "viewer", () => this.draw());
    this.header = new Header(role);
    this.hints = new Hints(role);
    this.statsPanel = new StatsPanel(role === "person" || preferences.stats === "full" ? preferences.stats : "off");
    this.selfView = media
      ? new SelfView(preferences.selfView, (open) => {
          preferences.selfView = open;
          options.preferencesChanged();
        })
      : null;
    this.controls = this.buildControls();
    this.shortcuts = this.buildShortcuts();
    const overlay = h("div", { class: "overlay" }, this.statsPanel.element, this.playback.prompt, this.hint);
    if (this.selfView) overlay.append(this.selfView.element);
    this.element = h(
      "main",
      { class: "call" },
      this.header.element,
      h("section", { class: "scene", "aria-label": "Avatar", tabindex: -1 }, this.stage.element, this.cover.element, overlay),
      this.controls.element,
    );
    if (media) media.changed = () => this.mediaChanged(media);
    const stopKeys = listen(this.shortcuts);
    const fullscreenChanged = (): void => this.draw();
    document.addEventListener("fullscreenchange", fullscreenChanged);
    this.stopListening = () => {
      stopKeys();
      document.removeEventListener("fullscreenchange", fullscreenChanged);
    };
    this.timer = setInterval(() => void this.measure(), MEASURE_INTERVAL);
    this.draw();
  }

  join(): void {
    this.session.join();
  }

  leave(): void {
    this.session.leave();
  }

  nudge(): void {
    this.session.nudge();
  }

  close(): void {
    this.stopListening();
    clearInterval(this.timer);
    if (this.options.media) this.options.media.changed = () => undefined;
    this.selfView?.show(null);
    this.stage.close();
    this.element.remove();
  }

  private received(track: MediaStreamTrack): void {
    this.stage.show(track);
    void this.playback.start();
  }

  private playing(): void {
    this.element.classList.add("has-picture");
    this.draw();
  }

  private turnHalted(): void {
    this.options.announcer.say("Turning stopped: your system asks for less motion.");
    this.draw();
  }

  private showStatus(status: Status): void {
    const { phase, again, trouble } = status;
    const live = phase === "live";
    const wasLive = this.element.classList.contains("is-live");
    this.element.classList.toggle("is-live", live);
    this.controls.relax.enabled(live);
    this.controls.copyLink.enabled(status.viewerUrl !== "");
    if (!live) this.measurements.reset(); // the figures of a connection that is gone
    if (live && !wasLive) this.becomeLive();
    else if (phase === "waiting" || phase === "connecting") {
      this.stage.freeze();
      const sentence = tryingSentence(status);
      if (again && !waitsForPlace(trouble)) this.options.announcer.busy(sentence);
      else {
        this.options.announcer.hide();
        this.options.announcer.say(sentence);
      }
    } else if (!live) this.options.announcer.hide();
    this.draw();
    this.options.statusChanged(status);
  }

  private becomeLive(): void {
    const { announcer } = this.options;
    this.measurements.reset(); // a reading of the last connection may have come late
    this.hints.reset();
    this.camera.push(this.stage.view);
    if (this.element.classList.contains("was-live")) announcer.show("Connected again.");
    else {
      announcer.say("Connected.");
      this.hints.calibrate(performance.now());
    }
    this.element.classList.add("was-live");
  }

  private showRoom(room: RoomState | null): void {
    this.header.setRoom(room);
    this.hints.readRoom(room);
    this.draw();
  }

  private mediaChanged(media: LocalMedia): void {
    for (const kind of ["audio", "video"] as const) void this.session.peer?.replace(kind, media.tracks[kind]);
    const troubles = media.troubles().join(" ");
    if (troubles && troubles !== this.toldTroubles) this.options.announcer.show(troubles, 8);
    this.toldTroubles = troubles;
    this.draw();
  }

  private async measure(): Promise<void> {
    const peer = this.session.peer;
    const looking = !document.hidden && !this.stage.video.paused;
    if (peer && this.session.status.phase === "live") await this.measurements.measure(peer, this.stage.framesShown, looking);
    this.draw();
  }

  private drawConnection(): void {
    const { status } = this.session;
    const live = status.phase === "live";
    const waiting = waitsForPlace(status.trouble);
    const hasPicture = this.element.classList.contains("has-picture");
    if (live) {
      const quality = this.measurements.quality(this.session.silence);
      this.header.setQuality(quality, quality === "unknown" ? "connected" : quality);
    } else if (waiting) this.header.setQuality("unknown", "waiting");
    else this.header.setQuality(status.again ? "lost" : "unknown", status.again ? "lost" : "connecting");
    const hint = live ? this.hints.sentence(performance.now(), this.options.media?.isOn("video") ?? false) : "";
    this.cover.element.hidden = hasPicture && !waiting;
    this.element.classList.toggle("is-waiting", waiting);
    if (live) this.cover.say(hint === STARTING ? STARTING : "Waiting for the picture…", false);
    else this.cover.say(tryingSentence(status), waiting);
    this.hint.hidden = hint === "" || (hint === STARTING && !hasPicture);
    setText(this.hint, hint);
  }

  /** Brings everything on the page in line with what is known. */
  private draw(): void {
    const { media } = this.options;
    const { controls } = this;
    this.drawConnection();
    this.statsPanel.update(this.measurements.readings);
    controls.stats.pressed(this.statsPanel.mode !== "off");
    controls.autoTurn.pressed(this.stage.autoTurn);
    const isFull = document.fullscreenElement !== null;
    controls.fullscreen.icon(isFull ? "fullscreenExit" : "fullscreen");
    controls.fullscreen.label(isFull ? "Leave full screen" : "Full screen");
    controls.fullscreen.pressed(isFull);
    const sound = this.playback.hasSound;
    controls.sound.icon(sound ? "sound" : "soundOff");
    controls.sound.label(sound ? "Mute sound" : "Unmute sound");
    controls.sound.muted(!sound);
    if (!media) return;
    const [microphone, camera] = [media.isOn("audio"), media.isOn("video")];
    controls.microphone.icon(microphone ? "microphone" : "microphoneOff");
    controls.microphone.label(microphone ? "Mute microphone" : "Unmute microphone");
    controls.microphone.muted(!microphone);
    controls.camera.icon(camera ? "camera" : "cameraOff");
    controls.camera.label(camera ? "Turn camera off" : "Turn camera on");
    controls.camera.muted(!camera);
    this.selfView?.show(media.tracks.video);
  }

  private toggle(kind: "audio" | "video"): void {
    const { media, announcer, preferencesChanged } = this.options;
    if (!media) return;
    const name = kind === "audio" ? "Microphone" : "Camera";
    void media.turn(kind, !media.isOn(kind)).then(() => {
      const trouble = media.trouble[kind];
      if (trouble) announcer.show(trouble.sentence, 8);
      else announcer.say(`${name} ${media.isOn(kind) ? "on" : "off"}.`);
      preferencesChanged();
    });
  }

  private toggleSound(): void {
    this.playback.setSound(!this.playback.hasSound);
    this.options.announcer.say(this.playback.hasSound ? "Sound on." : "Sound off.");
  }

  private toggleTurn(): void {
    if (reducedMotion() && !this.stage.autoTurn) {
      this.options.announcer.show("Your system asks for less motion, so the slow turn stays off.");
      return;
    }
    this.stage.autoTurn = !this.stage.autoTurn;
    this.options.announcer.say(this.stage.autoTurn ? "Turning slowly." : "Turning stopped.");
    this.draw();
  }

  private relax(): void {
    if (this.session.status.phase !== "live" || this.options.role !== "person") return;
    const now = performance.now();
    if (now - this.relaxedAt < RELAX_INTERVAL) return;
    this.relaxedAt = now;
    this.session.control({ type: "recalibrate" });
    this.hints.calibrate(now);
    this.draw();
  }

  private nextStats(): void {
    this.options.preferences.stats = this.statsPanel.next();
    this.options.announcer.say(`Statistics: ${this.statsPanel.mode}.`);
    this.options.preferencesChanged();
    this.draw();
  }

  private async copyLink(): Promise<void> {
    const link = new URL(this.session.status.viewerUrl, location.href).href;
    try {
      await navigator.clipboard.writeText(link);
      this.options.announcer.show(`Link copied. ${linkSentence(link)}`, 6);
    } catch {
      const field = h("input", { class: "field", readonly: true, value: link, "aria-label": "The viewers' link" });
      openDialog("The viewers' link", "link-dialog", h("p", { class: "soft" }, `Copy it from here. ${linkSentence(link)}`), field);
      field.select();
    }
  }

  private showDevices(): void {
    const { media } = this.options;
    if (!media) return;
    const pickers = new DevicePickers(media, this.options.preferencesChanged);
    void pickers.refresh();
    openDialog("Camera and microphone", "devices-dialog", pickers.element);
  }

  private fullscreen(): void {
    if (document.fullscreenElement) void document.exitFullscreen();
    else document.documentElement.requestFullscreen().catch(() => this.options.announcer.show("The browser refused full screen."));
  }

  private buildControls(): Controls {
    return new Controls(this.options.role, {
      microphone: () => this.toggle("audio"),
      camera: () => this.toggle("video"),
      sound: () => this.toggleSound(),
      faceFront: () => this.stage.faceFront(),
      autoTurn: () => this.toggleTurn(),
      relax: () => this.relax(),
      stats: () => this.nextStats(),
      copyLink: () => void this.copyLink(),
      devices: () => this.showDevices(),
      fullscreen: () => this.fullscreen(),
      shortcuts: () => showShortcuts(this.shortcuts),
      leave: () => this.leave(),
    });
  }

  private buildShortcuts(): Shortcut[] {
    const person = this.options.role === "person";
    const angles: Record<string, [number, number]> = {
      arrowleft: [-STEP, 0],
      arrowright: [STEP, 0],
      arrowup: [0, STEP],
      arrowdown: [0, -STEP],
    };
    const all: (Shortcut | null)[] = [
      { keys: Object.keys(angles), shown: "← → ↑ ↓", what: "Look from another side", repeats: true, run: (key) => this.stage.orbit(...(angles[key] ?? [0, 0])) },
      { keys: ["+", "="], shown: "+", what: "Closer", repeats: true, run: () => this.stage.zoom(1 / ZOOM_STEP) },
      { keys: ["-", "_"], shown: "−", what: "Further away", repeats: true, run: () => this.stage.zoom(ZOOM_STEP) },
      { keys: ["f"], shown: "F", what: "Face front", run: () => this.stage.faceFront() },
      { keys: ["t"], shown: "T", what: "Turn slowly", run: () => this.toggleTurn() },
      person
        ? { keys: ["m"], shown: "M", what: "Microphone on or off", run: () => this.toggle("audio") }
        : { keys: ["m"], shown: "M", what: "Sound on or off", run: () => this.toggleSound() },
      person ? { keys: ["c"], shown: "C", what: "Camera on or off", run: () => this.toggle("video") } : null,
      person ? { keys: ["r"], shown: "R", what: "Relax your face: take it as neutral", run: () => this.relax() } : null,
      person ? { keys: ["v"], shown: "V", what: "Self view", run: () => this.selfView?.toggle() } : null,
      { keys: ["s"], shown: "S", what: "Statistics: small, full, off", run: () => this.nextStats() },
      { keys: ["?"], shown: "?", what: "This list", run: () => showShortcuts(this.shortcuts) },
      { keys: [], shown: "Esc", what: "Close what is open", run: () => undefined },
    ];
    return all.filter((shortcut) => shortcut !== null);
  }
}
