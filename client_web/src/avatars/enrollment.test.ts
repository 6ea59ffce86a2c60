import { expect, it } from "vitest";
import { AVATAR, FakeApi, type Reply } from "../testing/fake_api";
import { Enrollment } from "./enrollment";

const ORDER = { photo: new Blob(["photo"]), name: "Ada", subject: "Ada", consent: "I agree to this." };
const job = (state: string, change: object = {}): Reply => ({ body: { state, stage: "", progress: 0, ahead: 0, error: "", ...change } });

function enrollmentOf(replies: Record<string, Reply[]>): { fake: FakeApi; enrollment: Enrollment; states: string[]; pauses: number[] } {
  const fake = new FakeApi({ "POST /avatars": [{ body: AVATAR }], "DELETE /avatars/a1": [{ status: 204 }], "GET /avatars/a1": [{ body: { ...AVATAR, state: "ready" } }], ...replies });
  fake.tokens.set("t");
  const pauses: number[] = [];
  const enrollment = new Enrollment(fake.api, async (time) => void pauses.push(time));
  const states: string[] = [];
  enrollment.changed = () => states.push(enrollment.making.state);
  return { fake, enrollment, states, pauses };
}

it("follows the job to the avatar", async () => {
  const running = (progress: number): Reply => job("running", { stage: "fitting the head", progress });
  const { enrollment, states } = enrollmentOf({ "GET /jobs/j1": [job("waiting", { ahead: 2 }), running(0.4), running(0.4), running(0.7), job("done")] });
  await enrollment.make(ORDER);
  expect(states).toEqual(["sending", "waiting", "running", "running", "done"]);
  expect(enrollment.making).toMatchObject({ state: "done", avatar: { id: "a1", state: "ready" } });
  expect(enrollment.isBusy).toBe(false);
});

it("sends a photo again that did not arrive, as the same order", async () => {
  const { enrollment, fake } = enrollmentOf({ "POST /avatars": ["unreachable", { body: AVATAR }], "GET /jobs/j1": [job("done")] });
  await enrollment.make(ORDER);
  const keys = fake.requests.slice(0, 2).map(({ headers }) => (headers as Record<string, string>)["idempotency-key"]);
  expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
  expect(keys[1]).toBe(keys[0]);
  expect(enrollment.making.state).toBe("done");
});

it("waits for a server that is away, more and more patiently, and never goes backwards", async () => {
  const at = (progress: number): Reply => job("running", { stage: "s", progress });
  const { enrollment, states, pauses } = enrollmentOf({ "GET /jobs/j1": [at(0.6), "unreachable", { status: 503 }, "unreachable", at(0.1), job("done")] });
  await enrollment.make(ORDER);
  expect(states).toEqual(["sending", "running", "away", "running", "done"]);
  expect(pauses).toEqual([500, 1000, 1500, 2000, 500]);
});

it.each([
  [{ "POST /avatars": [{ status: 429, body: { detail: "at most 3 avatars are made at the same time" } }] }, "At most 3 avatars are made at the same time.", 0],
  [{ "GET /jobs/j1": [job("failed", { error: "no face was found; use another photo" })] }, "no face was found; use another photo", 1],
  [{ "GET /jobs/j1": [job("cancelled")] }, "This avatar was not finished: try again.", 1],
  [{ "GET /jobs/j1": [{ status: 404, body: { detail: "there is no such job" } }] }, "There is no such job.", 0],
  [{ "POST /avatars": ["unreachable" as const] }, "The server cannot be reached: check the connection, then try again.", 0],
])("says why it failed, and leaves nothing on the server: %j", async (replies: Record<string, Reply[]>, sentence, erased) => {
  const { enrollment, fake } = enrollmentOf(replies);
  await enrollment.make(ORDER);
  expect(enrollment.making).toEqual({ state: "failed", sentence });
  expect(fake.asked.filter((line) => line.startsWith("DELETE"))).toHaveLength(erased);
  enrollment.reset();
  expect(enrollment.making.state).toBe("idle");
});

it("can be stopped at any time, erases what there is, and can begin anew", async () => {
  const { enrollment, fake, states } = enrollmentOf({ "GET /jobs/j1": [job("running")] });
  let stop = true;
  enrollment.changed = () => {
    states.push(enrollment.making.state);
    if (enrollment.making.state === "running" && stop) void enrollment.cancel();
  };
  await enrollment.make(ORDER);
  expect(states).toEqual(["sending", "running", "idle"]);
  expect(fake.asked.at(-1)).toBe("DELETE /api/avatars/a1 t");
  const again = enrollment.make(ORDER);
  expect(enrollment.isBusy).toBe(true);
  void enrollment.make(ORDER); // one at a time
  await enrollment.cancel();
  await again;
  expect(enrollment.making.state).toBe("idle");
  stop = false;
});

const READY = { ...AVATAR, state: "ready" as const, may_improve: true };
const usable = (progress: number, change: object = {}): Reply => job("running", { usable: true, stage: "refining", progress, ...change });

it("hands a clip's first avatar out while the better one is made", async () => {
  const { enrollment, states, pauses, fake } = enrollmentOf({ "GET /jobs/j1": [job("running"), usable(0.2), usable(0.2, { previews: 1 }), "unreachable", "unreachable", job("done", { usable: true })] });
  await enrollment.make({ ...ORDER, photo: null, clip: new Blob(["clip"]) });
  expect(states).toEqual(["sending", "running", "better", "better", "done"]);
  expect(pauses).toEqual([500, 2_000, 2_000, 3_000, 3_000]);
  const { photos, clip, quality } = Object.fromEntries(fake.requests[0]?.body as FormData);
  expect([photos, (clip as File).size, quality]).toEqual([undefined, 4, "standard"]);
});

it("makes one better that is there, and keeps it when that fails", async () => {
  const { enrollment, states, fake } = enrollmentOf({ "POST /avatars/a1/better": [{ body: { ...READY, job: "j2" } }], "GET /jobs/j2": [usable(0.5), job("failed", { error: "no face was found", usable: true })] });
  await enrollment.improve(READY, ORDER);
  expect(states).toEqual(["better", "better", "done"]);
  expect(enrollment.making).toEqual({ state: "done", avatar: READY, trouble: "no face was found" });
  expect(fake.asked.some((line) => line.startsWith("DELETE"))).toBe(false);
});

it("keeps what there is when it is stopped, and goes on with what the server was at", async () => {
  const { enrollment, fake } = enrollmentOf({ "GET /jobs/j9": [usable(0.5)], "POST /jobs/j9/cancel": [{ body: {} }] });
  enrollment.changed = () => {
    if (enrollment.making.state === "better" && enrollment.making.progress > 0) void enrollment.cancel();
  };
  await enrollment.resume({ ...READY, improving: "j9" });
  expect(enrollment.making).toMatchObject({ state: "done", trouble: "", avatar: { id: "a1" } });
  expect(fake.asked.at(-1)).toBe("POST /api/jobs/j9/cancel t");
  await enrollment.resume(READY); // nothing to go on with
  expect(enrollment.isBusy).toBe(false);
});

it("stops an order that was on its way, which may have arrived", async () => {
  const { enrollment, fake } = enrollmentOf({ "POST /avatars/a1/better": [{ body: READY }], "GET /avatars/a1": [{ body: { ...READY, improving: "j3" } }], "POST /jobs/j3/cancel": [{ body: {} }] });
  const improving = enrollment.improve(READY, ORDER);
  await enrollment.cancel();
  await improving;
  expect(enrollment.making).toMatchObject({ state: "done", trouble: "" });
  expect(fake.asked.at(-1)).toBe("POST /api/jobs/j3/cancel t");
  expect(enrollment.isBusy).toBe(false);
});

it("looks no longer when somebody goes on with another one, and the server does", async () => {
  const { enrollment, fake } = enrollmentOf({ "GET /jobs/j1": [job("waiting", { ahead: 1 }), job("running"), job("done")] });
  enrollment.changed = () => {
    if (enrollment.making.state === "sending") enrollment.leave(); // too early
    if (enrollment.making.state === "waiting") enrollment.leave();
  };
  await enrollment.make(ORDER);
  expect(enrollment.making).toEqual({ state: "idle" });
  expect(enrollment.isBusy).toBe(false);
  expect(fake.requests.map(({ method }) => method)).not.toContain("DELETE");
});
