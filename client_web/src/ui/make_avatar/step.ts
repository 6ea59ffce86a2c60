/** One of the things that "Make your avatar" shows one after the other. */
export interface Step {
  element: HTMLElement;
  /** Moves the focus to where one goes on. */
  focus(): void;
  close(): void;
}
