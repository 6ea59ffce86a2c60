import "../styles/look_at_avatar.css";
import { ApiError } from "../avatars/api";
import { AvatarView, type Face, NEUTRAL } from "../render/avatar_view";
import { RenderError } from "../render/splat_renderer";
import { parseWebAvatar, WebAvatarError } from "../render/web_avatar";
import { asSentence } from "../words";
import { openDialog } from "./dialog";
import { h, reducedMotion, setText } from "./dom";

const both = (name: string, value: number): Record<string, number> => ({ [`${name}Left`]: value, [`${name}Right`]: value });

const FACES: readonly (readonly [string, Face])[] = [
  ["At rest", NEUTRAL],
  ["Smile", { coefficients: { ...both("mouthSmile", 0.8), ...both("cheekSquint", 0.4) }, gaze: [0, 0] }],
  ["Open mouth", { coefficients: { jawOpen: 0.6 }, gaze: [0, 0] }],
  ["Surprise", { coefficients: { browInnerUp: 0.9, ...both("browOuterUp", 0.8), ...both("eyeWide", 0.7), jawOpen: 0.3 }, gaze: [0, 0] }],
  ["Frown", { coefficients: { ...both("browDown", 0.9), ...both("mouthFrown", 0.5), ...both("eyeSquint", 0.3) }, gaze: [0, 0] }],
  ["Eyes closed", { coefficients: both("eyeBlink", 1), gaze: [0, -0.1] }],
  ["Look aside", { coefficients: { eyeLookOutLeft: 0.6, eyeLookInRight: 0.6 }, gaze: [0.4, 0.05] }],
];

/** A dialog with an avatar to turn and to make faces with, drawn by this machine. file: reads the web avatar. */
export function lookAtAvatar(name: string, file: () => Promise<ArrayBuffer>): void {
  const canvas = h("canvas", {
    class: "look-canvas", tabindex: 0, role: "img", "data-testid": "look-canvas",
    "aria-label": `${name}, from all sides: arrow keys turn, plus and minus zoom, 0 looks from the front`,
  }); // prettier-ignore
  const words = h("p", { class: "look-words soft", role: "status", "data-testid": "look-words" }, "Loading…");
  const faces = h("div", { class: "look-faces", role: "group", "aria-label": "Faces" });
  const hint = h("p", { class: "soft small" }, "Drag to turn, wheel or pinch to zoom, double-click for the front. Your own machine draws this.");
  const dialog = openDialog(name, "look-at-avatar", h("div", { class: "look-stage" }, canvas, words), faces, hint);
  dialog.classList.add("look-dialog");
  let view: AvatarView | null = null;
  dialog.addEventListener("close", () => view?.close());

  const begin = async (): Promise<void> => {
    try {
      const avatar = parseWebAvatar(await file());
      if (!dialog.open) return;
      view = new AvatarView(canvas, avatar, { turns: !reducedMotion() });
      faces.replaceChildren(...FACES.map(([label, face]) => faceButton(label, face)));
      words.hidden = true;
    } catch (error) {
      const known = error instanceof ApiError || error instanceof RenderError || error instanceof WebAvatarError;
      setText(words, known ? asSentence(error.message) : "The avatar cannot be shown here: try again.");
      words.classList.add("is-bad");
      canvas.hidden = true;
    }
  };

  const faceButton = (label: string, face: Face): HTMLButtonElement => {
    const button = h("button", { type: "button", class: "button small", "aria-pressed": String(face === NEUTRAL), "data-testid": `face-${label.toLowerCase().replace(" ", "-")}` }, label);
    button.addEventListener("click", () => {
      for (const other of faces.children) other.setAttribute("aria-pressed", String(other === button));
      view?.show(face);
    });
    return button;
  };

  void begin();
}
