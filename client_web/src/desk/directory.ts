/** Who and what the desk's ids stand for. No DOM. */
import type { DeskApi, DeskAvatar, Person } from "./api";

export class Directory {
  /** By name; null: not known yet. */
  people: Person[] | null = null;
  /** By name; null: not known yet. */
  avatars: DeskAvatar[] | null = null;

  constructor(
    private readonly api: Pick<DeskApi, "people" | "avatars">,
    /** Who sits at the desk. */
    public me: Person,
  ) {}

  async readPeople(): Promise<Person[]> {
    this.people = sorted(await this.api.people());
    this.me = this.person(this.me.id) ?? this.me;
    return this.people;
  }

  async readAvatars(): Promise<DeskAvatar[]> {
    return (this.avatars = sorted(await this.api.avatars()));
  }

  /** For names of both, where a name is nice to have: what cannot be read is left as it was. */
  async refresh(): Promise<void> {
    await Promise.allSettled([this.readPeople(), this.readAvatars()]);
  }

  person(id: string): Person | undefined {
    return this.people?.find((person) => person.id === id);
  }

  /** Those who sign in. */
  get accounts(): Person[] {
    return (this.people ?? []).filter(({ role }) => role !== "guest");
  }

  get guests(): Person[] {
    return (this.people ?? []).filter(({ role }) => role === "guest");
  }

  /** What a person or an avatar is called; empty for one that is gone. */
  nameOf(id: string): string {
    return this.person(id)?.name ?? this.avatars?.find((avatar) => avatar.id === id)?.name ?? "";
  }
}

function sorted<T extends { id: string; name: string }>(all: T[]): T[] {
  return all.sort((a, b) => a.name.localeCompare(b.name) || a.id.localeCompare(b.id));
}
