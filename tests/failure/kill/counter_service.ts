/** A saga that counts slowly: what is lost or done twice shows in its total. */
import { event, saga, type } from "../../../mod.ts";

interface Amount {
  readonly id: string;
  readonly by: number;
}
/** Each of them starts an instance, or adds to it. */
export const Opened = event<Amount>("counter.opened");
/** See {@linkcode Opened}. */
export const Joined = event<Amount>("counter.joined");
/** Adds to it. */
export const Added = event<Amount>("counter.added");

function counterSaga(
  concurrency: "optimistic" | "pessimistic",
  starting: (id: string) => Promise<void>,
  added: (id: string) => Promise<void>,
) {
  return saga("counter", {
    data: type<{ total: number }>(),
    states: ["counting"],
    concurrency,
    events: (on) => ({
      opened: on.start(Opened, (m) => m.id, () => ({ total: 0 })),
      joined: on.start(Joined, (m) => m.id, () => ({ total: 0 })),
      added: on(Added, (m) => m.id),
    }),
  }, ({ initially, during, when }) => {
    const add = (event: "opened" | "joined" | "added") =>
      when(event).then(async (ctx) => {
        const { total } = ctx.saga;
        await added(ctx.id);
        ctx.saga.total = total + ctx.message.by;
      });
    const start = (event: "opened" | "joined") =>
      when(event).then(async (ctx) => {
        await starting(ctx.id);
        ctx.saga.total = ctx.message.by;
      }).transitionTo("counting");
    return [
      initially(start("opened"), start("joined")),
      during("counting", add("opened"), add("joined"), add("added")),
    ];
  });
}

/**
 * The saga.
 *
 * @param starting called while an instance is being made, before that is committed
 * @param added called between reading the total and writing it
 */
export const counter: typeof counterSaga = counterSaga;
