export const STYLE = `
:host { display: inline-block; position: relative; width: 320px; height: 320px; contain: content; }
:host([hidden]) { display: none; }
canvas, iframe { display: block; width: 100%; height: 100%; border: 0; background: var(--visavis-background, transparent); }
canvas[tabindex] { cursor: grab; touch-action: none; user-select: none; }
canvas[tabindex]:active { cursor: grabbing; }
canvas:focus-visible { outline: 3px solid #0b6e5f; outline-offset: -3px; }
p { position: absolute; inset: 0; display: grid; place-content: center; margin: 0; padding: 16px; color: inherit; font: 1rem/1.5 system-ui, sans-serif; text-align: center; text-wrap: balance; }
[hidden] { display: none !important; }
`;
