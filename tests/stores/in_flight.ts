/** A service whose rows older versions of this library have written, `tests/fixtures/stores`, and where these are put. */
import { readFileSync } from "node:fs";
import { type Bus, command, event, saga, type } from "../../mod.ts";
import type { Store } from "../../src/spi/store.ts";

interface Numbered {
  readonly number: number;
}
/** 0 was handled, 4 was sent, 5 is due, 6 is due in a hundred years, 100 is parked. */
export const Ship = command<Numbered>("flight.ship");
/** 1, 2 and 3 were sent, in this order. */
export const Move = command<Numbered>("flight.move", { key: () => "all" });
const Begun = event<{ readonly id: string; readonly at: Date }>("flight.begun");
const Called = event<{ readonly id: string; readonly parcel: string }>("flight.called");
/** The instance `"packed"` has the parcel `"p2"`. */
export const Packed = event<{ readonly parcel: string }>("flight.packed");
/** The instance `"ends"` waits for it. */
export const Ended = event<{ readonly id: string }>("flight.ended");

/** As instances were made with it. */
const start = new Date("2026-01-02T03:04:05.678Z");

/** The instance `"late"` waits for its timeout, which is due. */
function trip(ended: (id: string) => void) {
  return saga("trip", {
    data: type<{ at: Date; parcel: string }>(),
    states: ["going"],
    timeouts: { late: "3s" },
    indexes: ["parcel"],
    events: (on) => ({
      begun: on.start(Begun, (m) => m.id, ({ at }) => ({ at, parcel: "" })),
      called: on.start(Called, (m) => m.id, ({ parcel }) => ({ at: start, parcel })),
      packed: on.where(Packed, ({ parcel }) => ({ parcel })),
      ended: on(Ended, (m) => m.id),
    }),
  }, ({ initially, during, when, timeout, sequence }) => {
    const end = sequence((steps) =>
      steps.then((ctx) => ended(`${ctx.id} ${ctx.saga.at.toISOString()} ${ctx.saga.parcel}`)).finalize()
    );
    return [
      initially(when("begun").schedule("late").transitionTo("going"), when("called").transitionTo("going")),
      during("going", when("ended").run(end), when("packed").run(end), timeout("late").run(end)),
    ];
  });
}

/** What {@linkcode Bus.name} was. */
export const busName = "flights";

/** Declares the service's endpoints; `note` is told of all that is handled. */
export function handleFlights(bus: Bus<unknown>, note: (what: string) => void): void {
  bus.endpoint("ships", { outbox: true }).handle(Ship, ({ number }) => note(`ship ${number}`));
  bus.endpoint("moves", { outbox: true }).handle(Move, ({ number }) => note(`move ${number}`));
  bus.add(trip((how) => note(`trip ${how}`)));
}

/** What comes of the rows by themselves. */
export const byThemselves: readonly string[] = [
  "move 1",
  "move 2",
  "move 3",
  "ship 4",
  "ship 5",
  "trip late 2026-01-02T03:04:05.678Z ",
];

/** The versions by which there are rows: how many migrations each had. */
export const versions: readonly number[] = [1, 2];

/** A version of the tables, with rows in them. */
export interface OlderVersion {
  /** Statements that make it. */
  readonly scripts: readonly string[];
  /** What takes back the message that is due in a hundred years. */
  readonly token: string;
}

/** As it was, in a SQLite file, or in a schema of PostgreSQL. */
export function olderVersion(
  store: Pick<Store<unknown>, "migrations">,
  version: number,
  schema?: string,
): OlderVersion {
  const file = `${schema === undefined ? "sqlite" : "postgres"}_000${version}.sql`;
  const rows = readFileSync(new URL(`../fixtures/stores/${file}`, import.meta.url), "utf8");
  const made = store.migrations().slice(0, version).map(({ script }) => script);
  const [, token = ""] = /.*'(store:[0-9a-f-]+)'/s.exec(rows) ?? []; // the last row
  return { scripts: [...made, rows.replaceAll("{schema}", schema ?? "")], token };
}
