/** A saga that keeps all that its instances do. */
import { event, saga, type } from "../../../mod.ts";

export const Begun = event<{ id: string; at: Date }>("jobs.begun");
export const Ended = event<{ id: string }>("jobs.ended");

/** Keeps everything. */
export const JobSaga = saga("job", {
  data: type<{ at: Date; team: string }>(),
  states: ["running", "billing"],
  indexes: ["team"],
  timeouts: { late: "1h" },
  history: true,
  finalized: "archived",
  events: (on) => ({
    begun: on.start(Begun, (m) => m.id, (m) => ({ at: m.at, team: m.id.slice(0, 1) })),
    ended: on(Ended, (m) => m.id),
  }),
}, ({ initially, during, when, timeout }) => [
  initially(when("begun").schedule("late").transitionTo("running")),
  during("running", when("ended").unschedule("late").transitionTo("billing").finalize(), timeout("late").finalize()),
]);
