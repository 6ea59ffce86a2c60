import type { BackgroundChoice } from "../background";
import { keptPicture, type OwnPicture, PictureError, readPicture } from "../own_picture";
import type { Preferences } from "../preferences";
import type { Place } from "../protocol";
import type { Announcer } from "./announcer";
import { Backdrop } from "./backdrop";
import { openBackgroundDialog } from "./background_dialog";
import { PicturePlace } from "./picture_place";

export interface SceneryOptions {
  preferences: Preferences;
  announcer: Announcer;
  preferencesChanged(): void;
  /** The picture's place is another one. */
  changed(place: Place): void;
  /** Somebody looks again, after the picture had paused. */
  back(): void;
  /** What else the dialog lets choose of the picture. */
  more(): Node;
}

/** What is behind the people, as the viewer chose it, and what the server must know to draw it. */
export class Scenery {
  readonly backdrop = new Backdrop();
  private readonly where: PicturePlace;
  private picture: OwnPicture | null = null;

  /** `stage`: the element that the picture is shown in. */
  constructor(stage: HTMLElement, private readonly options: SceneryOptions) {
    const { preferences } = options;
    const choice = preferences.background === "picture" ? "auto" : preferences.background;
    this.where = new PicturePlace(stage, choice, {
      changed: (place) => {
        this.draw();
        options.changed(place);
      },
      back: () => options.back(),
    });
    if (preferences.background === "picture") void keptPicture().then((kept) => this.restore(kept));
    this.draw();
  }

  get place(): Place {
    return this.where.place;
  }

  open(): void {
    openBackgroundDialog({
      chosen: this.where.choice,
      picture: this.picture?.url ?? "",
      choose: (choice) => this.choose(choice),
      take: (file) => this.take(file),
      more: this.options.more(),
    });
  }

  close(): void {
    this.where.close();
    this.backdrop.close();
    if (this.picture) URL.revokeObjectURL(this.picture.url);
  }

  private choose(choice: BackgroundChoice): void {
    this.options.preferences.background = choice;
    this.options.preferencesChanged();
    this.apply(choice);
  }

  private apply(choice: BackgroundChoice): void {
    this.where.choice = choice;
    this.where.brightness = this.picture?.brightness ?? 0.5;
    this.where.update();
    this.draw();
  }

  private restore(kept: OwnPicture | null): void {
    this.picture = kept;
    if (kept) this.apply("picture");
  }

  private async take(file: File): Promise<{ trouble: string; picture: string }> {
    try {
      const { kept, ...picture } = await readPicture(file);
      if (this.picture) URL.revokeObjectURL(this.picture.url);
      this.picture = picture;
      return { trouble: kept ? "" : "This browser has no room to keep the picture: it is gone when you leave.", picture: picture.url };
    } catch (error) {
      return { trouble: error instanceof PictureError ? error.message : "This picture cannot be read: choose another one.", picture: "" };
    }
  }

  private draw(): void {
    this.backdrop.show(this.where.choice, this.where.isDark, this.picture?.url ?? "");
  }
}
