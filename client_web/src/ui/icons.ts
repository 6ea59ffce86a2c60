/** The icon set: 24 x 24, one stroke, drawn for Visavis. */

const PATHS = {
  microphone: "M12 3.5a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0v-5a3 3 0 0 0-3-3ZM5.5 11.5a6.5 6.5 0 0 0 13 0M12 18v3",
  microphoneOff:
    "M9 6.5a3 3 0 0 1 6 0V11M15 13.5A3 3 0 0 1 9 11.5V9M5.5 11.5a6.5 6.5 0 0 0 10.6 5M18.5 11.5c0 .9-.2 1.8-.5 2.5M12 18v3M4 3.5l16.5 17",
  camera: "M4.5 6.5h9a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2ZM15.5 10.8l6-3.3v9l-6-3.3",
  cameraOff:
    "M9 6.5h4.5a2 2 0 0 1 2 2V12M15.5 15.5a2 2 0 0 1-2 2h-9a2 2 0 0 1-2-2v-7a2 2 0 0 1 2-2M16.5 10.3l5-2.8v9M4 3.5l16.5 17",
  leave:
    "M3.2 14.6c-.6-1 .1-2.7 1.4-3.6 4.3-3 10.5-3 14.8 0 1.3.9 2 2.6 1.4 3.6l-1 1.5c-.4.6-1.2.8-1.9.5l-2.4-1.1a1.5 1.5 0 0 1-.8-1.6l.2-1.3a11 11 0 0 0-5.8 0l.2 1.3a1.5 1.5 0 0 1-.8 1.6l-2.4 1.1c-.7.3-1.5.1-1.9-.5Z",
  turn: "M14.8 16.4c4.1-.5 7.2-2.2 7.2-4.4 0-2.5-4.5-4.5-10-4.5S2 9.5 2 12s4.2 4.4 9.5 4.5M8.5 13.5l3.2 3-3.2 3",
  relax: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18ZM7.3 10c.6 1 2.2 1 2.8 0M13.9 10c.6 1 2.2 1 2.8 0M8.8 14.5c1.8 1.6 4.6 1.6 6.4 0",
  stats: "M4 20V13M9.3 20V8M14.7 20v-5M20 20V4",
  link: "M10 14a4 4 0 0 0 5.7 0l3.6-3.6a4 4 0 0 0-5.7-5.7L12 6.3M14 10a4 4 0 0 0-5.7 0l-3.6 3.6a4 4 0 0 0 5.7 5.7l1.6-1.6",
  fullscreen: "M4 9V5.5A1.5 1.5 0 0 1 5.5 4H9M15 4h3.5A1.5 1.5 0 0 1 20 5.5V9M20 15v3.5a1.5 1.5 0 0 1-1.5 1.5H15M9 20H5.5A1.5 1.5 0 0 1 4 18.5V15",
  fullscreenExit: "M9 4v3.5A1.5 1.5 0 0 1 7.5 9H4M20 9h-3.5A1.5 1.5 0 0 1 15 7.5V4M15 20v-3.5a1.5 1.5 0 0 1 1.5-1.5H20M4 15h3.5A1.5 1.5 0 0 1 9 16.5V20",
  devices: "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4ZM9 14.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4Z",
  keyboard: "M4 6h16a1.5 1.5 0 0 1 1.5 1.5v9A1.5 1.5 0 0 1 20 18H4a1.5 1.5 0 0 1-1.5-1.5v-9A1.5 1.5 0 0 1 4 6ZM6.5 10h.01M10.2 10h.01M13.8 10h.01M17.5 10h.01M8 14.2h8",
  check: "M5 12.5l4.5 4.5L19 7.5",
  minus: "M6 12h12",
  close: "M6 6l12 12M18 6 6 18",
  self: "M4.5 5h15A1.5 1.5 0 0 1 21 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 17.5v-11A1.5 1.5 0 0 1 4.5 5ZM12 8.5a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4ZM7.8 19c.3-2.3 2-3.8 4.2-3.8s3.9 1.5 4.2 3.8",
  sound: "M4 9.5v5h3.5l4.5 4v-13l-4.5 4ZM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  soundOff: "M4 9.5v5h3.5l4.5 4v-13l-4.5 4ZM16 9.5l5 5M21 9.5l-5 5",
  warning: "M12 4 2.8 19.5h18.4ZM12 10v4.5M12 17.2h.01",
  watchers: "M2.5 12C4.5 8 8 6 12 6s7.5 2 9.5 6c-2 4-5.5 6-9.5 6s-7.5-2-9.5-6ZM12 9.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6Z",
  people: "M9 5.2a3.1 3.1 0 1 0 0 6.2 3.1 3.1 0 0 0 0-6.2ZM3 19c.3-3 2.8-5 6-5s5.7 2 6 5M15.5 5.6a2.8 2.8 0 0 1 0 5.4M17.5 14.4c2 .7 3.3 2.4 3.5 4.6",
  lock: "M7 10.5h10A1.5 1.5 0 0 1 18.5 12v6.5A1.5 1.5 0 0 1 17 20H7a1.5 1.5 0 0 1-1.5-1.5V12A1.5 1.5 0 0 1 7 10.5ZM8.5 10.5V7.5a3.5 3.5 0 0 1 7 0v3",
  sit: "M7 4v9h9.5M7 13v7M16.5 13v7M7 9.5h7.5a2 2 0 0 1 2 2V13",
  door: "M10 4.5H6A1.5 1.5 0 0 0 4.5 6v12A1.5 1.5 0 0 0 6 19.5h4M15 8l4.5 4-4.5 4M19 12H9.5",
} as const;

export type IconName = keyof typeof PATHS;

const SVG = "http://www.w3.org/2000/svg";

/** An icon for beside a label; screen readers skip it. */
export function icon(name: IconName): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
