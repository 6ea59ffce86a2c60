import { describe, expect, it } from "vitest";
import { decode, encode, type Message, ProtocolError } from "./protocol";

describe("decode", () => {
  it("fills what is missing with the server's defaults and leaves unknown keys out", () => {
    expect(decode('{"type":"welcome","resume":"r","later":1}')).toEqual({
      type: "welcome",
      resume: "r",
      viewer_url: "",
      ice_servers: [],
      heartbeat: 1,
      media_kept: false,
    });
    expect(decode('{"type":"failure","code":"full","message":"Full."}')).toMatchObject({ final: true });
  });

  it("reads messages inside messages", () => {
    const text = '{"type":"welcome","resume":"r","ice_servers":[{"urls":["turn:x"],"username":"u"}]}';
    expect(decode(text)).toMatchObject({ ice_servers: [{ urls: ["turn:x"], username: "u", credential: "" }] });
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
    ["a fraction for an integer", '{"type":"room_state","person":true,"viewers":1.5}'],
    ["a number for a truth", '{"type":"room_state","person":1,"viewers":1}'],
    ["another role", '{"type":"hello","role":"admin"}'],
    ["a list of the wrong things", '{"type":"welcome","resume":"","ice_servers":[{"urls":[1]}]}'],
    ["a table of the wrong things", '{"type":"stats","fps":1,"stages":{"a":"b"},"bitrate":1,"face":true}'],
  ])("refuses %s", (_what, text) => {
    expect(() => decode(text)).toThrow(ProtocolError);
  });
});
