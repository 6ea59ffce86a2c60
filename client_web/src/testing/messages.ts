/** Messages of a server, for tests. */
import type { Failure, Label, Lobby, Participant, RoomState, Stats, Welcome } from "../protocol";

export const AVATARS = [{ id: "ada", name: "Ada", preview: "" }];

export function lobby(change: Partial<Lobby> = {}): Lobby {
  return { type: "lobby", role: "person", avatars: AVATARS, ice_servers: [], heartbeat: 1, account: false, enrolls: false, ...change };
}

export function welcome(change: Partial<Welcome> = {}): Welcome {
  return {
    type: "welcome", resume: "token", role: "person", participant: 3, order: 2, person_link: "/room/p", viewer_link: "/room/v",
    ice_servers: [], heartbeat: 1, media_kept: false, synthetic: true, ...change,
  };
}

export function failure(code: string, change: Partial<Failure> = {}): Failure {
  return { type: "failure", code, message: `It is ${code}.`, final: false, retry_after: 0, may_watch: false, ...change };
}

export function person(id: number, name: string, change: Partial<Participant> = {}): Participant {
  return { id, name, host: false, seated: true, muted: false, camera: true, web_avatar: "", ...change };
}

export function roomState(people: Participant[], change: Partial<RoomState> = {}): RoomState {
  return { type: "room_state", people, viewers: 0, locked: false, ...change };
}

export function stats(change: Partial<Stats> = {}): Stats {
  return {
    type: "stats", fps: 30, stages: { decode: 2, track: 6 }, bitrate: 1e6, face: true, calibrating: false, ready: true, ...change,
  };
}

export function label(participant: number, left: number, width: number): Label {
  return { participant, left, top: 0, width, height: 1 };
}
