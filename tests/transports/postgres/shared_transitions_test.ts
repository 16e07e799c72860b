/** Transitions of sagas that are enlisted share a commit, and are told their own outcomes. */
import { assertEquals } from "@std/assert";
import { ConflictError } from "../../../src/errors/store.ts";
import type { SagaRow } from "../../../src/spi/rows.ts";
import { changes } from "../../conformance/store/trial.ts";
import { begin, but, letters, refused, sharing } from "./sharing.ts";

const row = (id: string, some: Partial<SagaRow> = {}): SagaRow => ({
  saga: "order",
  id,
  incarnation: "i",
  version: 1,
  schema: 1,
  state: "begun",
  data: new TextEncoder().encode(id),
  types: undefined,
  index: {},
  ...some,
});

sharing("transitions share a commit with what they send and accept, and a conflict is one's own", async (sharing) => {
  const { rig, store } = sharing;
  const made = await begin(store, "made", { inbox: [] });
  await made.commit(changes({ sagas: letters.map((id) => ({ before: undefined, after: row(id) })) }));
  await sharing.begin();
  await sharing.write();
  const outcomes = await sharing.commit((at) => {
    const [id, version] = [letters[at] ?? "", at === 5 ? 3 : 1];
    const after = at === 6 ? undefined : row(id, { version: 2, state: "led" });
    return changes({ sagas: [{ before: row(id, { version }), after }] });
  });
  assertEquals(refused(outcomes, ConflictError), "f");
  assertEquals(await sharing.seen(), { in: "f", out: but("f"), inbox: but("f") });
  const found = await rig.select("SELECT id, state FROM hero_sagas ORDER BY id");
  assertEquals(
    found.map(({ id, state }) => `${id} ${state}`),
    ["a led", "b led", "c led", "d led", "e led", "f begun", "h led"],
  );
  await sharing.inbox.accept(sharing.units.filter((_, at) => at === 5).map(({ delivery }) => delivery));
});

sharing("transitions without a conflict are one statement for all", async (sharing) => {
  await sharing.begin();
  await sharing.write();
  const data = new Uint8Array();
  const outcomes = await sharing.commit((at) =>
    changes({ sagas: [{ before: undefined, after: row(letters[at] ?? "", { data }) }] })
  );
  assertEquals(outcomes, letters.map(() => undefined));
  const [found] = await sharing.rig.select("SELECT count(DISTINCT xmin::text)::int AS n FROM hero_sagas");
  assertEquals([await sharing.commits() <= 2, Number(found?.["n"]) <= 2], [true, true]);
});

sharing("units of large instances share a commit with few", async (sharing) => {
  await sharing.begin();
  await sharing.write(() => []);
  const data = new Uint8Array(600_000);
  const outcomes = await sharing.commit((at) =>
    changes({ sagas: [{ before: undefined, after: row(letters[at] ?? "", { data }) }] })
  );
  assertEquals(outcomes, letters.map(() => undefined));
  assertEquals(await sharing.commits(), 8);
});

sharing("of transitions of one instance that are ready at once, one is made", async (sharing) => {
  const { rig, store, inbox } = sharing;
  const made = await begin(store, "made", { inbox: [] });
  const there = ["changed", "gone", "either"];
  await made.commit(changes({ sagas: there.map((id) => ({ before: undefined, after: row(id) })) }));
  await sharing.begin();
  await sharing.write();
  const after = (id: string) => row(id, { version: 2, state: "led" });
  const pairs = [
    { before: row("changed"), after: after("changed") },
    { before: row("changed"), after: after("changed") },
    { before: row("gone"), after: undefined },
    { before: row("gone"), after: undefined },
    { before: row("either"), after: after("either") },
    { before: row("either"), after: undefined },
    { before: undefined, after: row("new") },
    { before: undefined, after: row("new") },
  ];
  const outcomes = await sharing.commit((at) => changes({ sagas: pairs.slice(at, at + 1) }));
  const lost = refused(outcomes, ConflictError).split(" ");
  assertEquals(lost.map((each) => letters.indexOf(each) >> 1), [0, 1, 2, 3]);
  assertEquals(await sharing.seen(), { in: lost.join(" "), out: but(...lost), inbox: but(...lost) });
  const found = await rig.select("SELECT id, state FROM hero_sagas WHERE id <> 'either' ORDER BY id");
  assertEquals(found.map(({ id, state }) => `${id} ${state}`), ["changed led", "new begun"]);
  await inbox.accept(sharing.units.flatMap(({ delivery }, at) => outcomes[at] === undefined ? [] : [delivery]));
});
