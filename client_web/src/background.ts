/** What is behind the people in the picture: a colour that the server draws, or something of the page's own. No DOM. */
import { type Background, BACKGROUNDS, MAX_ROOM, type Place } from "./protocol";

/** auto: white, or dark where the system wants it so. picture: the viewer's own. transparent: what the page is shown over. */
export const CHOICES = ["auto", "white", "dark", "sand", "sage", "sky", "picture", "transparent"] as const;
export type BackgroundChoice = (typeof CHOICES)[number];

export function isChoice(value: unknown): value is BackgroundChoice {
  return CHOICES.includes(value as BackgroundChoice);
}

/** Whether the server tells where the people are, and the page puts something else behind them. */
export function isCutOut(choice: BackgroundChoice): boolean {
  return choice === "picture" || choice === "transparent";
}

export interface Scenery {
  choice: BackgroundChoice;
  /** Whether the system wants dark pages. */
  isDark: boolean;
  /** Mean brightness of the viewer's own picture, [0, 1]. */
  brightness: number;
}

/**
 * The colour that the server draws behind the people. Under a picture it is one about as bright: what a lossy codec leaves of it
 * at the edges then does not show.
 */
export function drawnBehind({ choice, isDark, brightness }: Scenery): Background {
  if (choice === "auto") return isDark ? "dark" : "white";
  if (choice === "transparent") return "grey";
  if (choice !== "picture") return choice;
  return brightness > 0.75 ? "white" : brightness < 0.25 ? "dark" : "grey";
}

/** `width`, `height`: of the picture's place, CSS pixels; `density`: pixels of the screen in each. */
export function placeFor(scenery: Scenery, room: { width: number; height: number; density: number; seen: boolean }): Place {
  const [width, height] = [room.width, room.height].map((side) => Math.min(MAX_ROOM, Math.max(0, Math.round(side * room.density))));
  return { width: width ?? 0, height: height ?? 0, background: drawnBehind(scenery), mask: isCutOut(scenery.choice), seen: room.seen, draws: false };
}

export function cssColor(background: Background): string {
  return `rgb(${BACKGROUNDS[background].join(" ")})`;
}

/** For a page that does not say where it shows its picture. */
export const ANYWHERE: Place = { width: 0, height: 0, background: "white", mask: false, seen: true, draws: false };
