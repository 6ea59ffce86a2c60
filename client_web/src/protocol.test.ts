import { describe, expect, it } from "vitest";
import { decode, encode, type Message, ProtocolError } from "./protocol";

describe("decode", () => {
  it("fills what is missing with the server's defaults and leaves unknown keys out", () => {
    expect(decode('{"type":"welcome","resume":"r","role":"person","later":1}')).toEqual({
      type: "welcome",
      resume: "r",
      role: "person",
      participant: -1,
      order: -1,
      person_link: "",
      viewer_link: "",
      ice_servers: [],
      heartbeat: 1,
      media_kept: false,
      synthetic: true,
    });
    expect(decode('{"type":"failure","code":"full","message":"Full."}')).toMatchObject({ final: true, retry_after: 0, may_watch: false });
  });

  it("reads messages inside messages", () => {
    const text = '{"type":"welcome","resume":"r","role":"host","ice_servers":[{"urls":["turn:x"],"username":"u"}]}';
    expect(decode(text)).toMatchObject({ ice_servers: [{ urls: ["turn:x"], username: "u", credential: "" }] });
    expect(decode('{"type":"room_state","people":[{"id":1,"name":"Ada"}]}')).toEqual({
      type: "room_state",
      people: [{ id: 1, name: "Ada", host: false, seated: false, muted: false, camera: true, web_avatar: "" }],
      viewers: 0,
      locked: false,
    });
  });

  it("gives back what was encoded", () => {
    const message: Message = { type: "stats", fps: 29.5, stages: { splat: 18 }, bitrate: 1e6, face: false, calibrating: true, ready: false };
    expect(decode(encode(message))).toEqual(message);
  });

  it.each([
    ["no JSON", "nope"],
    ["no object", "[1]"],
    ["null", "null"],
    ["no type", "{}"],
    ["a type nobody knows", '{"type":"dance"}'],
    ["a type from the object prototype", '{"type":"toString"}'],
    ["a missing field", '{"type":"pong"}'],
    ["text for a number", '{"type":"pong","sent":"1"}'],
    ["an infinite number", '{"type":"pong","sent":1e999}'],
    ["a fraction for an integer", '{"type":"room_state","viewers":1.5}'],
    ["a number for a truth", '{"type":"room_state","locked":1}'],
    ["another role", '{"type":"lobby","role":"admin"}'],
    ["a list of the wrong things", '{"type":"welcome","resume":"","role":"host","ice_servers":[{"urls":[1]}]}'],
    ["a person without a name", '{"type":"room_state","people":[{"id":1}]}'],
    ["a voice that is nobody's", '{"type":"sound_lines","lines":{"2":null}}'],
    ["a label with a hole", '{"type":"labels","labels":[{"participant":1,"left":0,"top":0,"width":1}]}'],
    ["a table of the wrong things", '{"type":"stats","fps":1,"stages":{"a":"b"},"bitrate":1,"face":true}'],
  ])("refuses %s", (_what, text) => {
    expect(() => decode(text)).toThrow(ProtocolError);
  });
});
