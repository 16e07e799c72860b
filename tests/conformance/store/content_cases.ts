/** That what is written is read, whatever it holds. */
import { assertEquals } from "@std/assert";
import type { FrameHeaders } from "../../../src/spi/frame.ts";
import { changes, type StoreCase, type Trial } from "./trial.ts";

/** Names and keys that have broken something somewhere. */
const texts: Readonly<Record<string, string>> = {
  "quotes and a statement": `a'); DROP TABLE hero_outbox; --`,
  "double quotes and brackets": `a"b]c[d\`e`,
  "percent, underscore and backslash": `100%_\\%\\_`,
  "placeholders": "? :a $1 @b ${c} {{d}}",
  "NUL characters": "a\u0000b\u0000",
  "control characters": "\u0001\u001a\u001a0\u001b\r\n\t\u007f",
  "every plane": "Zoë 李 😀 \u2028 \ufeff \uffff",
  "combined and decomposed": "é e\u0301",
  "the empty text": "",
  "spaces": "  a  ",
  "what looks like a number": "007",
  "long": "x".repeat(1_000),
};

const headers: FrameHeaders = {
  text: "a\u0000b 😀 ' \" \\ \u2028",
  empty: "",
  integer: 42,
  negative: -0.5,
  largest: Number.MAX_VALUE,
  tiny: 5e-324,
  unsafe: 2 ** 60,
  true: true,
  false: false,
  bigint: 2n ** 64n,
  "negative bigint": -(10n ** 30n),
  date: new Date("2024-02-29T12:34:56.789Z"),
  "first date": new Date(-8.64e15),
  bytes: new Uint8Array([0, 1, 254, 255]),
  "no bytes": new Uint8Array(),
  "name with ' and \u0000": "x",
  __proto__x: "x",
};

async function roundTrip(trial: Trial, text: string): Promise<void> {
  const bus = `${trial.bus}${text}`;
  const key = { endpoint: text, messageId: text, keepUntil: trial.clock.now() + 1_000 };
  const saga = trial.saga({
    saga: text,
    id: text,
    state: text,
    incarnation: text,
    index: { [text]: text, plain: text },
  });
  const row = trial.row({ id: text, key: text, to: text, group: text });
  const schedule = trial.schedule({ ...row, token: text, dueAt: trial.clock.now() });
  const unit = await trial.begin({ bus, partition: text, inbox: [key] });
  assertEquals(unit.duplicates, [false]);
  const [leased] = await unit.commit(changes({
    sagas: [{ before: undefined, after: saga }],
    outbox: [row],
    schedules: [{ put: schedule }],
  }));
  assertEquals(leased?.row, row);
  const after = await trial.begin({ bus, partition: text, inbox: [key] });
  assertEquals(after.duplicates, [true]);
  assertEquals(await after.load(text, text, true), saga);
  if (trial.store.capabilities.query === "indexed") {
    assertEquals(await after.find(text, { [text]: text, plain: text }, undefined, 10), [saga]);
    assertEquals(await after.find(text, { [text]: `${text}x` }, undefined, 10), []);
  }
  await after.rollback();
  const [due] = await trial.store.schedules.claim(bus, 10, 1_000);
  assertEquals(due?.row, schedule);
  await trial.store.schedules.later([{ leased: due!, dueAt: 0, error: text, park: true }]);
  const [parked] = await trial.store.schedules.parked(bus, undefined, 10);
  assertEquals([parked?.row, parked?.error], [schedule, text]);
  assertEquals(await trial.store.schedules.unpark(bus, [text]), 1);
  await trial.commit({ schedules: [{ cancel: text }] }, { bus });
  assertEquals((await trial.store.schedules.stats(bus)).waiting, 0);
  await trial.store.outbox.done([leased!]);
  assertEquals((await trial.store.outbox.stats(bus)).waiting, 0);
  assertEquals(await trial.store.lease(text, text, 1_000), { fence: 1 });
}

export const contentCases: readonly StoreCase[] = [
  ...Object.entries(texts).map(([name, text]): StoreCase => ({
    name: `names, ids and keys of any text are what they are: ${name}`,
    run: (trial) => roundTrip(trial, text),
  })),
  {
    name: "names that differ little are different",
    async run(trial) {
      const ids = ["a", "A", "á", "a\u0301", "a ", " a", "a\u0000", "a\u0000b", "a\u001a0"];
      await trial.commit({
        sagas: ids.map((id) => ({ before: undefined, after: trial.saga({ id, state: JSON.stringify(id) }) })),
      });
      for (const id of ids) assertEquals((await trial.load({ saga: "order", id }))?.state, JSON.stringify(id));
    },
  },
  {
    name: "names that run together differently are different",
    async run(trial) {
      const key = (endpoint: string, messageId: string) => ({ ...trial.key(messageId), endpoint });
      await trial.commit({}, { inbox: [key("ab", "c")] });
      const unit = await trial.begin({ inbox: [key("a", "bc"), key("ab", "c"), key("", "abc")] });
      assertEquals(unit.duplicates, [false, true, false]);
      await unit.rollback();
    },
  },
  {
    name: "a frame is read as it was written: native headers, bytes",
    async run(trial) {
      const body = Uint8Array.from({ length: 1_000 }, (_, at) => at % 256);
      const frames = [
        { contentType: 'application/x; a="b\u0000"', headers, body },
        { contentType: "", headers: {}, body: new Uint8Array() },
        { contentType: "text/plain", headers: {}, body: body.subarray(3, 7) },
      ];
      const dueAt = trial.clock.now() + 1_000;
      const rows = frames.map((frame) => trial.row({ frame, dueAt, expiresAt: trial.clock.now() + 1e12 }));
      const schedules = frames.map((frame) => trial.schedule({ frame, dueAt }));
      await trial.commit({ outbox: rows, schedules: schedules.map((put) => ({ put })) });
      await trial.clock.pass(1_010);
      const other = await trial.elsewhere();
      assertEquals((await other.outbox.claim(trial.bus, 10, 1_000)).map(({ row }) => row), rows);
      assertEquals((await other.schedules.claim(trial.bus, 10, 1_000)).map(({ row }) => row), schedules);
    },
  },
  {
    name: "a header called __proto__ is a header",
    async run(trial) {
      const native: FrameHeaders = Object.defineProperty({ a: 1n }, "__proto__", { value: "x", enumerable: true });
      await trial.abandon({
        outbox: [trial.row({ frame: { contentType: "", headers: native, body: new Uint8Array() } })],
      });
      const [leased] = await trial.store.outbox.claim(trial.bus, 1, 1_000);
      assertEquals(Object.getOwnPropertyDescriptor(leased?.row.frame.headers, "__proto__")?.value, "x");
      assertEquals(Object.getPrototypeOf(leased?.row.frame.headers), Object.prototype);
      const saga = trial.saga({ index: Object.defineProperty({}, "__proto__", { value: "x", enumerable: true }) });
      await trial.commit({ sagas: [{ before: undefined, after: saga }] });
      const loaded = await trial.load(saga);
      assertEquals(Object.getOwnPropertyDescriptor(loaded?.index, "__proto__")?.value, "x");
    },
  },
  {
    name: "large bodies and much saga data are kept",
    async run(trial) {
      const body = new Uint8Array(2 ** 20).fill(7);
      const saga = trial.saga({ data: body });
      const row = trial.row({ frame: { contentType: "", headers: {}, body } });
      const [leased] = await trial.commit({ sagas: [{ before: undefined, after: saga }], outbox: [row] });
      assertEquals(leased?.row.frame.body.length, body.length);
      assertEquals((await trial.load(saga))?.data.length, body.length);
    },
  },
];
