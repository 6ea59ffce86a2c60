import type { Address } from "./address";
import { OwnAvatars } from "./avatars/own_avatars";
import { BarePage } from "./bare";
import { LocalMedia } from "./media";
import { Peer } from "./peer";
import { loadPreferences, savePreferences } from "./preferences";
import { PrivateCamera } from "./private_camera/private_camera";
import type { Lobby as LobbyMessage, Welcome } from "./protocol";
import { claimSeat, loadSeat, saveSeat } from "./seat_store";
import { Session } from "./session";
import { Signalling } from "./signalling";
import type { Entry, RememberedSeat, Status } from "./signalling_types";
import { Announcer } from "./ui/announcer";
import { Call } from "./ui/call";
import { closeDialogs, isDialogOpen } from "./ui/dialog";
import { Door } from "./ui/door";
import { fetchDrawing, prepareDrawing } from "./ui/drawing";
import { endingScreen } from "./ui/ending";
import { Lobby } from "./ui/lobby";
import { ViewerLobby } from "./ui/viewer_lobby";
import { waitForCall } from "./wait";
import { asSentence } from "./words";

/** A browser's question may stay unanswered; the call begins without the devices, and they join when they come. */
const ASKING_LIMIT = 3_000;

interface Screen {
  element: HTMLElement;
  close(): void;
}

/** Moves between the screens of the page: door, lobby, call, ending. `data-phase` of the document says where it is. */
export class App {
  private readonly preferences = loadPreferences();
  private readonly announcer = new Announcer();
  private readonly media: LocalMedia;
  private readonly camera: PrivateCamera;
  private readonly own: OwnAvatars;
  private session!: Session<Peer>;
  private screen: Screen | null = null;
  private claimed = "";
  private entersByItself: boolean;
  private readonly bare: BarePage;
  /** The server's avatars that the lobby shows, as JSON. */
  private avatars = "";

  constructor(
    private readonly root: HTMLElement,
    private readonly address: Address,
  ) {
    const { preferences } = this;
    this.entersByItself = address.autojoin;
    this.bare = new BarePage(address.bare, preferences);
    this.media = new LocalMedia({
      on: { video: preferences.cameraOn, audio: preferences.microphoneOn },
      device: { video: preferences.camera, audio: preferences.microphone },
      isPrivate: preferences.privateCamera,
    });
    this.camera = new PrivateCamera(this.media, {
      found: (message) => this.session.peer?.drive(message),
      told: (sentence) => this.announcer.show(sentence, 8),
    });
    this.media.followed = () => this.camera.follow();
    this.own = new OwnAvatars(address.key, {
      account: (token) => this.session.account(token),
      told: (sentence) => this.announcer.show(sentence, 8),
      made: ({ id, name }) => {
        preferences.avatar = id;
        this.remember();
        if (!isDialogOpen()) this.announcer.show(`Your avatar is ready: ${name}.`);
      },
      improved: ({ name }) => {
        if (!isDialogOpen()) this.announcer.show(`Your avatar is better now: ${name}.`);
      },
    });
    document.body.append(this.announcer.element);
  }

  async start(): Promise<void> {
    fetchDrawing(this.preferences);
    const { key } = this.address;
    const saved = loadSeat(key);
    const seat = saved && (await claimSeat(saved)) ? saved : null;
    this.claimed = seat?.resume ?? "";
    const trouble = await this.own.arrive(location.hash);
    if (location.hash !== "") history.replaceState(null, "", location.pathname + location.search);
    if (trouble !== "") this.announcer.show(trouble, 8);
    this.session = this.newSession(new Signalling(key, seat));
    this.session.account(this.own.token);
    // Firefox closes sockets before `pagehide`, iOS knows no `beforeunload`: whichever comes first says goodbye.
    for (const going of ["beforeunload", "pagehide"]) addEventListener(going, () => this.session.leave());
    addEventListener("online", () => this.session.nudge());
    this.session.open();
  }

  private newSession(machine: Signalling): Session<Peer> {
    return new Session<Peer>(
      machine,
      {
        socket: () => new WebSocket(this.address.socket),
        peer: (iceServers, events) => {
          this.call?.renewed();
          const seated = (machine.status.seat?.participant ?? -1) >= 0;
          const wasBlocked = machine.status.trouble === "blocked";
          return new Peer(seated, iceServers, wasBlocked, this.media.sent, {
            ...events,
            track: (track, mid) => this.call?.received(track, mid),
            driven: (data) => this.call?.driven(data),
          });
        },
        now: () => performance.now(),
      },
      {
        status: (status) => this.follow(status),
        told: (news) => this.call?.told(news),
        unknownRoom: () => this.call?.unknownRoom(),
        remember: (seat) => this.keep(seat),
        roundTrip: (milliseconds) => this.call?.roundTrip(milliseconds),
      },
    );
  }

  private get call(): Call | null {
    return this.screen instanceof Call ? this.screen : null;
  }

  private follow(status: Status): void {
    document.documentElement.dataset.phase = status.place === "lobby" ? "lobby" : status.phase;
    this.camera.follow(status.phase === "live" && status.place === "call");
    if (status.phase === "failed") this.showFailure(status);
    else if (status.phase === "left") this.showGoodbye();
    else if (status.seat) this.showCall(status, status.seat);
    else if (status.lobby) this.showLobby(status, status.lobby);
    else this.showDoor(status);
  }

  private showDoor(status: Status): void {
    if (!(this.screen instanceof Door)) this.place(new Door(this.announcer, () => this.session.retry()));
    if (this.screen instanceof Door) this.screen.show(waitForCall(status));
  }

  private showLobby(status: Status, lobby: LobbyMessage): void {
    const watches = lobby.role === "viewer";
    this.entersByItself ||= this.bare.entersByItself(watches);
    const avatars = JSON.stringify(lobby.avatars);
    const isThere = watches ? this.screen instanceof ViewerLobby : this.screen instanceof Lobby;
    if (!isThere) this.place(watches ? this.viewerLobby() : this.personLobby(lobby));
    else if (this.screen instanceof Lobby && avatars !== this.avatars) this.screen.offer(lobby);
    this.avatars = avatars;
    this.own.met(lobby);
    if (this.screen instanceof Lobby || this.screen instanceof ViewerLobby) this.screen.refresh(status);
    if (!this.entersByItself || status.phase !== "lobby") return;
    this.entersByItself = false;
    const avatar = lobby.avatars.find(({ id }) => id === this.preferences.avatar) ?? lobby.avatars[0];
    void this.enter({ name: this.preferences.name, avatar: avatar?.id ?? "", watch: watches });
  }

  private personLobby(lobby: LobbyMessage): Lobby {
    const screen = new Lobby(this.media, this.own, lobby, this.preferences, {
      chosen: (name, avatar) => {
        Object.assign(this.preferences, { name, avatar });
        this.remember();
      },
      join: (entry) => void this.enter(entry),
      tryNow: () => this.session.retry(),
      stay: () => this.session.stay(),
    });
    this.media.changed = () => screen.refreshMedia();
    this.own.changed = () => screen.refreshOwn();
    void this.media.start();
    return screen;
  }

  private viewerLobby(): ViewerLobby {
    return new ViewerLobby({
      watch: () => void this.enter({ name: "", avatar: "", watch: true }),
      tryNow: () => this.session.retry(),
      stay: () => this.session.stay(),
    });
  }

  private async enter(entry: Entry): Promise<void> {
    this.remember();
    if (!entry.watch) {
      await Promise.race([this.media.start(), sleep(ASKING_LIMIT)]);
      this.session.presence(!this.media.isOn("audio"), this.media.isOn("video"));
    }
    this.session.join(entry);
    prepareDrawing(this.preferences);
  }

  private showCall(status: Status, seat: Welcome): void {
    if (this.call) {
      this.call.showStatus(status);
      return;
    }
    const watches = seat.participant < 0;
    if (watches) this.media.stop();
    else void this.media.start();
    const { session, preferences, announcer, camera } = this;
    const media = watches ? null : this.media;
    this.place(new Call({ session, seat, media, camera, preferences, announcer, preferencesChanged: () => this.remember() }));
  }

  private showFailure({ again, message }: Status): void {
    this.end({
      testId: "failure",
      icon: "warning",
      title: again ? "The call has ended" : "You could not join the call",
      sentence: asSentence(message),
      action: "Try again",
      actionId: "try-again",
      press: () => this.session.open(),
    });
  }

  private showGoodbye(): void {
    const watched = this.call === null || this.media.tracks.video === null;
    this.end({
      testId: "goodbye",
      icon: "door",
      title: "You left the call",
      sentence: watched ? "You can come back with the same link." : "Your camera and microphone are off.",
      action: "Come back",
      actionId: "join-again",
      press: () => this.session.open(),
    });
  }

  private end(ending: Parameters<typeof endingScreen>[0]): void {
    this.media.stop();
    this.bare.ended(ending.press);
    this.announcer.hide();
    const element = endingScreen(ending);
    this.place({ element, close: () => element.remove() });
    this.announcer.say(`${ending.title}. ${ending.sentence}`);
  }

  /** Shows a screen and moves the focus to where reading starts. */
  private place(screen: Screen): void {
    if (!(screen instanceof Lobby || screen instanceof Call)) this.media.changed = () => undefined;
    if (!(screen instanceof Lobby)) this.own.changed = () => undefined;
    const { changed } = this.media;
    this.screen?.close();
    this.media.changed = changed; // a call that closes takes its own away
    this.screen = screen;
    closeDialogs();
    this.root.replaceChildren(screen.element);
    screen.element.querySelector<HTMLElement>("[tabindex='-1']")?.focus({ preventScroll: true });
  }

  private keep(seat: RememberedSeat | null): void {
    saveSeat(this.address.key, seat);
    if (!seat || seat.resume === this.claimed) return;
    this.claimed = seat.resume;
    void claimSeat(seat);
  }

  private remember(): void {
    if (this.bare.is) return;
    const { on, device, isPrivate } = this.media.choices;
    Object.assign(this.preferences, {
      cameraOn: on.video,
      microphoneOn: on.audio,
      camera: device.video,
      microphone: device.audio,
      privateCamera: isPrivate,
    });
    savePreferences(this.preferences);
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
