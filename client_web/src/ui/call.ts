import { type Look, isSeated, toCamera } from "../look";
import type { LocalMedia } from "../media";
import { ownMouth } from "../mouth/own_mouth";
import { SpeakerNews } from "../news";
import type { Peer } from "../peer";
import type { Preferences } from "../preferences";
import type { PrivateCamera } from "../private_camera/private_camera";
import type { Welcome } from "../protocol";
import { Room } from "../room";
import type { Session } from "../session";
import type { News, Status } from "../signalling_types";
import { RoomSound } from "../sound";
import { LatestWins } from "../throttle";
import { asSentence } from "../words";
import type { Announcer } from "./announcer";
import { callShortcuts } from "./call_shortcuts";
import { ConnectionView } from "./connection_view";
import { Controls } from "./controls";
import { openDevices } from "./device_pickers";
import { Drawing } from "./drawing";
import { Headset } from "./headset";
import { h, reducedMotion } from "./dom";
import { toggleFullscreen, watchFullscreen } from "./fullscreen";
import { Header } from "./header";
import { peoplePanel } from "./host";
import { showInvite } from "./invite";
import { Measurements } from "./measurements";
import type { PeoplePanel } from "./people";
import { Playback } from "./playback";
import { OwnPresence } from "./presence";
import { Scenery } from "./scenery";
import { SelfView } from "./self_view";
import { listen, type Shortcut, showShortcuts } from "./shortcuts";
import { Stage } from "./stage";
import { StatsPanel } from "./stats_panel";
import { syntheticLabel } from "./synthetic_label";
import { toggleDevice } from "./toggle_device";

const CAMERA_INTERVAL = 1000 / 30;
const MEASURE_INTERVAL = 1000;
/** Taking a neutral face takes a second; asking meanwhile would only begin it anew. */
const RELAX_INTERVAL = 1500;

export interface CallOptions {
  session: Session<Peer>;
  seat: Welcome;
  /** The person's devices; null for a viewer. */
  media: LocalMedia | null;
  camera: PrivateCamera;
  preferences: Preferences;
  announcer: Announcer;
  preferencesChanged(): void;
}

/** The call itself: joins the session to the picture, the voices, the controls and the person's devices. */
export class Call {
  readonly element: HTMLElement;
  private readonly room: Room;
  private readonly stage: Stage;
  private readonly sound: RoomSound;
  private readonly playback: Playback;
  private readonly controls: Controls;
  private readonly header: Header;
  private readonly people: PeoplePanel;
  private readonly statsPanel: StatsPanel;
  private readonly selfView: SelfView | null;
  private readonly connection: ConnectionView;
  private readonly scenery: Scenery;
  private readonly drawing: Drawing;
  private readonly headset: Headset;
  private readonly measurements: Measurements;
  private readonly presence: OwnPresence | null;
  private readonly speakers: SpeakerNews;
  /** Whom the page looks at, -1: everybody. */
  private focus = -1;
  private readonly camera: LatestWins<Look>;
  private readonly shortcuts: Shortcut[];
  private seat: Welcome;
  /** What the person was told already about the devices. */
  private toldTroubles: string;
  private relaxedAt = -Infinity;
  private readonly timer: ReturnType<typeof setInterval>;
  /** End what the call listens to. */
  private readonly stops: (() => void)[];

  constructor(private readonly options: CallOptions) {
    const { session, seat, media, preferences, announcer } = options;
    this.seat = seat;
    this.room = new Room(seat.participant);
    this.toldTroubles = media?.troubles().join(" ") ?? "";
    this.camera = new LatestWins((look) => session.control(toCamera(look)), CAMERA_INTERVAL);
    this.measurements = new Measurements(this.room);
    this.sound = new RoomSound(() => this.draw());
    this.stage = new Stage(this.room, (look) => this.looks(look), () => this.playing(), () => {
      announcer.say("Turning stopped: your system asks for less motion.");
      this.draw();
    });
    this.playback = new Playback(this.stage.video, this.sound);
    this.header = new Header(() => this.showPeople(!this.people.isOpen));
    this.people = peoplePanel(seat, session, {
      lookAt: (id) => this.stage.focus(id),
      invite: () => this.invite(),
      close: () => this.showPeople(false),
    });
    this.presence = media ? new OwnPresence(media, session, announcer) : null;
    this.speakers = new SpeakerNews(this.room);
    this.statsPanel = new StatsPanel(media || preferences.stats === "full" ? preferences.stats : "off");
    this.selfView = media
      ? new SelfView(preferences.selfView, (open) => {
          preferences.selfView = open;
          options.preferencesChanged();
        })
      : null;
    const send = (message: ArrayBuffer): void => session.peer?.drive(message);
    this.headset = new Headset({ room: this.room, media, announcer, isSynthetic: seat.synthetic, send, wear: (on) => this.drawing.wear(on) });
    this.controls = this.buildControls();
    this.shortcuts = callShortcuts(media !== null, {
      ...this.actions, stage: this.stage, selfView: () => this.selfView?.toggle(), people: () => this.showPeople(!this.people.isOpen),
    });
    const { room, stage, playback, measurements, header } = this;
    this.connection = new ConnectionView({ room, stage, playback, measurements, header, announcer, retry: () => session.retry() });
    this.drawing = new Drawing({
      stage, room, preferences, announcer, preferencesChanged: options.preferencesChanged,
      placeChanged: () => session.showIn(this.drawing.placed(this.scenery.place)),
      labels: (labels) => {
        room.labels = labels;
        this.sound.setLabels(labels);
        stage.update();
      },
      changed: () => this.draw(),
    });
    this.scenery = new Scenery(stage.element, {
      preferences, announcer, preferencesChanged: options.preferencesChanged,
      changed: (place) => {
        stage.cutout.ask(place);
        session.showIn(this.drawing.placed(place));
      },
      more: () => this.drawing.choices(),
      back: () => this.connection.back(),
    });
    const overlay = h("div", { class: "overlay" }, syntheticLabel(seat), this.statsPanel.element, this.playback.prompt, this.connection.hint);
    if (this.selfView) overlay.append(this.selfView.element);
    this.element = h(
      "main",
      { class: "call" },
      h("h1", { class: "visually-hidden" }, "Call"),
      this.header.element,
      h("section", { class: "scene", "aria-label": "The room", tabindex: -1 }, this.scenery.backdrop.element, this.stage.element, this.connection.notice.cover.element, overlay),
      this.people.element,
      this.controls.element,
    );
    if (media) media.changed = () => this.mediaChanged(media);
    this.stops = [listen(this.shortcuts), watchFullscreen(() => this.draw())];
    if (media) this.stops.push(ownMouth(media, session, this.headset.ownDrive, () => this.measurements.server?.face ?? true));
    this.timer = setInterval(() => void this.measure(), MEASURE_INTERVAL);
    this.showStatus(session.status);
  }

  close(): void {
    for (const stop of this.stops) stop();
    clearInterval(this.timer);
    if (this.options.media) this.options.media.changed = () => undefined;
    this.selfView?.show(null);
    this.connection.notice.show(null, false);
    this.scenery.close();
    this.sound.close();
    this.headset.close();
    this.drawing.close();
    this.stage.close();
    this.element.remove();
  }

  /** A track of the server came on a media section (`mid`). */
  received(track: MediaStreamTrack, mid: string): void {
    if (track.kind === "audio") this.sound.add(track, mid);
    else {
      this.stage.show(track);
      void this.playback.start();
    }
  }

  /** A new peer connection is made: its tracks are others. */
  renewed(): void {
    this.sound.reset();
  }

  /** A message of the channel `drive`. */
  driven(data: ArrayBuffer): void {
    this.drawing.driven(data);
    this.headset.driven(data);
  }

  told(news: News): void {
    const { room, options } = this;
    switch (news.type) {
      case "room_state": {
        options.announcer.say(room.read(news));
        this.presence?.follow(room.me);
        this.drawing.update();
        this.headset.update();
        this.stage.update();
        break;
      }
      case "labels":
        this.stage.cutout.expect(news);
        this.drawing.labelled(news.labels);
        break;
      case "speaking":
        room.speaking = news.participants;
        options.announcer.say(this.speakers.read(performance.now()));
        this.stage.update();
        break;
      case "sound_lines":
        this.sound.setLines(news.lines);
        break;
      case "stats":
        this.measurements.server = news;
        this.connection.readStats(news, options.media?.isOn("video") ?? false);
        break;
      case "failure":
        if (news.code !== "bad_message") options.announcer.show(asSentence(news.message), 6);
        break;
    }
    this.draw();
  }

  unknownRoom(): void {
    this.room.forget();
    this.stage.update();
    this.draw();
  }

  roundTrip(milliseconds: number): void {
    this.measurements.ping = milliseconds;
  }

  showStatus(status: Status): void {
    const { phase } = status;
    const live = phase === "live";
    const wasLive = this.element.classList.contains("is-live");
    if (status.seat) {
      this.seat = status.seat;
      this.room.own = status.seat.participant;
    }
    this.element.classList.toggle("is-live", live);
    this.controls.relax.enabled(live);
    this.drawing.live(live);
    this.headset.live(live);
    if (!live) this.measurements.reset(); // the figures of a connection that is gone
    if (live && !wasLive) this.becomeLive();
    else if (!live) this.stage.freeze();
    this.draw();
  }

  private looks(look: Look): void {
    this.camera.push(look);
    this.drawing.lookAt(look);
    if (look.focus !== this.focus) {
      this.focus = look.focus;
      this.options.announcer.say(look.focus >= 0 ? `Looking at ${this.room.nameOf(look.focus)}.` : "Looking at everybody.");
    }
    this.draw();
  }

  private playing(): void {
    this.element.classList.add("has-picture");
    this.draw();
  }

  private becomeLive(): void {
    const { announcer, session } = this.options;
    const wasLive = this.element.classList.contains("was-live");
    this.measurements.reset(); // a reading of the last connection may have come late
    this.connection.begin(!wasLive);
    session.showIn(this.drawing.placed(this.scenery.place)); // it may have changed since the offer
    this.camera.push(this.stage.look);
    if (wasLive) announcer.show("Connected again.");
    else announcer.say("Connected.");
    this.element.classList.add("was-live");
  }

  private mediaChanged(media: LocalMedia): void {
    for (const kind of ["audio", "video"] as const) void this.options.session.peer?.replace(kind, media.sent[kind]);
    const troubles = media.troubles().join(" ");
    if (troubles && troubles !== this.toldTroubles) this.options.announcer.show(troubles, 8);
    this.toldTroubles = troubles;
    this.presence?.tell();
    this.draw();
  }

  private async measure(): Promise<void> {
    const { session } = this.options;
    const { drawing, stage } = this;
    const looking = !document.hidden && this.scenery.place.seen && (drawing.isShown || !stage.video.paused);
    const { peer } = session;
    this.presence?.follow(this.room.me);
    const shown = drawing.isShown ? drawing.framesDrawn : stage.framesShown;
    if (peer && session.status.phase === "live") await this.measurements.measure(peer, shown, looking, drawing.isShown);
    drawing.watch();
    this.connection.measured(session.status, looking && !drawing.draws);
    this.draw();
  }

  /** Brings everything on the page in line with what is known. */
  private draw(): void {
    const { media, session } = this.options;
    const { controls } = this;
    if (!this.element) return; // still being built
    const hasPicture = this.element.classList.contains("has-picture");
    this.connection.draw(session.status, session.silence, media?.isOn("video") ?? false, hasPicture);
    this.header.setRoom(this.room);
    this.people.update(this.room, this.stage.look.focus);
    this.header.people.setAttribute("aria-expanded", String(this.people.isOpen));
    this.element.classList.toggle("has-people", this.people.isOpen);
    controls.sit.enabled(!isSeated(this.stage.look));
    this.playback.draw();
    this.statsPanel.update({ ...this.measurements.readings, own: this.drawing.own, camera: this.options.camera.cost });
    controls.stats.pressed(this.statsPanel.mode !== "off");
    controls.autoTurn.pressed(this.stage.autoTurn);
    controls.show(media, this.sound.isOn && !this.sound.isBlocked);
    if (media) this.selfView?.show(media.tracks.video);
  }

  private toggle(kind: "audio" | "video"): void {
    const { media, announcer, preferencesChanged } = this.options;
    if (media) toggleDevice(kind, media, announcer, preferencesChanged);
  }

  private toggleSound(): void {
    this.sound.turn(!(this.sound.isOn && !this.sound.isBlocked));
    this.options.announcer.say(this.sound.isOn ? "Sound on." : "Sound off.");
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
    const { session, media } = this.options;
    if (session.status.phase !== "live" || !media) return;
    const now = performance.now();
    if (now - this.relaxedAt < RELAX_INTERVAL) return;
    this.relaxedAt = now;
    session.control({ type: "recalibrate" });
    this.connection.calibrate();
    this.draw();
  }

  private nextStats(): void {
    const { preferences, announcer, preferencesChanged } = this.options;
    preferences.stats = this.statsPanel.next();
    announcer.say(`Statistics: ${preferences.stats}.`);
    preferencesChanged();
    this.draw();
  }

  private invite(): void {
    if (this.seat.person_link) showInvite(this.seat);
  }

  private showPeople(on: boolean): void {
    this.people.open(on);
    if (!on) this.header.people.focus();
    this.draw();
  }

  /** Escape: first what is open, then back to the seat. */
  private back(): void {
    if (this.people.isOpen) this.showPeople(false);
    else this.stage.sitDown();
  }

  private showDevices(): void {
    if (this.options.media) openDevices(this.options.media, this.options.preferencesChanged);
  }

  private readonly actions = {
    microphone: () => this.toggle("audio"),
    camera: () => this.toggle("video"),
    sound: () => this.toggleSound(),
    sitDown: () => this.stage.sitDown(),
    autoTurn: () => this.toggleTurn(),
    relax: () => this.relax(),
    stats: () => this.nextStats(),
    invite: () => this.invite(),
    background: () => this.scenery.open(),
    devices: () => this.showDevices(),
    fullscreen: () => toggleFullscreen(() => this.options.announcer.show("The browser refused full screen.")),
    shortcuts: () => showShortcuts(this.shortcuts),
    back: () => this.back(),
    leave: () => this.options.session.leave(),
  };

  private buildControls(): Controls {
    return new Controls(this.options.media !== null, this.seat.person_link !== "", this.actions, this.headset.buttons);
  }
}
