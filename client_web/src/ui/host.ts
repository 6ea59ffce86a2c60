import type { Participant, Welcome } from "../protocol";
import type { Session } from "../session";
import type { Peer } from "../peer";
import { confirmDialog } from "./dialog";
import { PeoplePanel, type PeopleActions } from "./people";

/** The list of people, with what this page's role may do to them. */
export function peoplePanel(
  { role, person_link }: Welcome,
  session: Session<Peer>,
  rest: Pick<PeopleActions, "lookAt" | "invite" | "close">,
): PeoplePanel {
  return new PeoplePanel(role === "host", person_link !== "", {
    ...rest,
    mute: (id) => session.moderate("mute", id),
    remove: (person) => confirmRemoval(person, session),
    lock: (on) => session.moderate(on ? "lock" : "unlock"),
    end: () => confirmEnd(session),
  });
}

function confirmRemoval({ id, name }: Participant, session: Session<Peer>): void {
  const sentence = `${name} leaves the room at once, and can come back with the link unless you lock the room.`;
  confirmDialog(`Remove ${name}?`, sentence, "Remove", () => session.moderate("remove", id));
}

function confirmEnd(session: Session<Peer>): void {
  confirmDialog("End the room?", "Everybody leaves the room at once.", "End for everybody", () => session.moderate("end"));
}
