import { expect, it } from "vitest";
import { CONNECTION_MS, ConnectionNews, SPEAKER_MS, SpeakerNews } from "./news";
import { Room } from "./room";
import { person, roomState } from "./testing/messages";

function roomOf(count: number): Room {
  const room = new Room(1);
  room.read(roomState(["Ada", "Bo", "Cy", "Di"].slice(0, count).map((name, i) => person(i + 1, name))));
  return room;
}

it("names a speaker once, others only after a while, and never the own voice", () => {
  const room = roomOf(4);
  const news = new SpeakerNews(room);
  const say = (now: number, ...speaking: number[]): string => {
    room.speaking = speaking;
    return news.read(now);
  };
  expect(say(0)).toBe("");
  expect(say(0, 1)).toBe("");
  expect(say(0, 1, 2)).toBe("Bo speaks.");
  expect(say(1, 3)).toBe("");
  expect(say(2, 2)).toBe("");
  expect(say(SPEAKER_MS, 3)).toBe("Cy speaks.");
  expect(say(9 * SPEAKER_MS, 3)).toBe("");
  expect(say(9 * SPEAKER_MS, 99)).toBe("");
});

it("names nobody where only one other can be heard", () => {
  const room = roomOf(2);
  room.speaking = [2];
  expect(new SpeakerNews(room).read(0)).toBe("");
});

it("tells that the connection is poor, and well again, with time between", () => {
  const news = new ConnectionNews();
  expect(news.read("excellent", 0)).toBe("");
  expect(news.read("poor", 0)).toBe("The connection is poor.");
  expect(news.read("good", 1)).toBe("");
  expect(news.read("unknown", CONNECTION_MS)).toBe("");
  expect(news.read("lost", CONNECTION_MS)).toBe("");
  expect(news.read("good", CONNECTION_MS)).toBe("The connection is well again.");
  expect(news.read("excellent", 9 * CONNECTION_MS)).toBe("");
});
