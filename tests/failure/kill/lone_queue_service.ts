/** What goes over queues that know of no store. */
import { command, type Sender } from "../../../mod.ts";

/** Something to do. */
export const Work = command<{ readonly id: string }>("lone.work");
/** Something to do in the order of its key. */
export const Keyed = command<{ readonly key: string; readonly number: number }>("lone.keyed", {
  key: ({ key }) => key,
});

/** Sends work; what is noted as sent is the queue's. */
export async function sendWork(
  bus: Pick<Sender, "send">,
  id: string,
  note: (...words: readonly string[]) => void,
): Promise<void> {
  note("sending", id);
  await bus.send(Work, { id });
  note("sent", id);
}
