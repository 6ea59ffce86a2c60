import type { Actions } from "./controls";
import type { Shortcut } from "./shortcuts";
import type { Stage } from "./stage";

const STEP = Math.PI / 24;
const ZOOM_STEP = 1.1;

export interface ShortcutActions extends Actions {
  stage: Stage;
  selfView(): void;
  people(): void;
  /** Escape. */
  back(): void;
}

/** The keys of the call; `person`: with camera and microphone, else a viewer. */
export function callShortcuts(person: boolean, actions: ShortcutActions): Shortcut[] {
  const { stage } = actions;
  const angles: Record<string, [number, number]> = {
    arrowleft: [-STEP, 0],
    arrowright: [STEP, 0],
    arrowup: [0, STEP],
    arrowdown: [0, -STEP],
  };
  const all: (Shortcut | null)[] = [
    { keys: Object.keys(angles), shown: "← → ↑ ↓", what: "Look from another side", repeats: true, run: (key) => stage.orbit(...(angles[key] ?? [0, 0])) },
    { keys: ["+", "="], shown: "+", what: "Closer", repeats: true, run: () => stage.zoom(1 / ZOOM_STEP) },
    { keys: ["-", "_"], shown: "−", what: "Further away", repeats: true, run: () => stage.zoom(ZOOM_STEP) },
    { keys: ["0"], shown: "0", what: person ? "Sit down again" : "See everybody", run: () => actions.sitDown() },
    { keys: ["t"], shown: "T", what: "Turn slowly", run: () => actions.autoTurn() },
    { keys: ["p"], shown: "P", what: "People in the room", run: () => actions.people() },
    { keys: ["b"], shown: "B", what: "Picture and background", run: () => actions.background() },
    person ? { keys: ["i"], shown: "I", what: "Invite others", run: () => actions.invite() } : null,
    person
      ? { keys: ["m"], shown: "M", what: "Microphone on or off", run: () => actions.microphone() }
      : { keys: ["m"], shown: "M", what: "Sound on or off", run: () => actions.sound() },
    person ? { keys: ["c"], shown: "C", what: "Camera on or off", run: () => actions.camera() } : null,
    person ? { keys: ["r"], shown: "R", what: "Relax your face: take it as neutral", run: () => actions.relax() } : null,
    person ? { keys: ["v"], shown: "V", what: "Self view", run: () => actions.selfView() } : null,
    { keys: ["s"], shown: "S", what: "Statistics: small, full, off", run: () => actions.stats() },
    { keys: ["?"], shown: "?", what: "This list", run: () => actions.shortcuts() },
    { keys: ["escape"], shown: "Esc", what: "Close what is open; sit down again", run: () => actions.back() },
  ];
  return all.filter((shortcut) => shortcut !== null);
}
