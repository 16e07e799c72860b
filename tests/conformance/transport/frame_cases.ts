/** What arrives is what was sent. */
import { assert, assertEquals } from "@std/assert";
import type { Frame, FrameHeaders } from "../../../src/spi/frame.ts";
import { MessageTooLargeError } from "../../../src/errors/sending.ts";
import { assertRejects } from "@std/assert";
import type { TransportCase, Trial } from "./trial.ts";

/** What a receiver gets of a frame. */
async function roundTrip(trial: Trial, frame: Frame): Promise<Frame> {
  const queue = await trial.queue();
  const inbox = await trial.receive(queue);
  await trial.send(`queue:${queue}`, { frame });
  await trial.came(inbox, 1);
  const { frame: arrived } = inbox.only;
  await inbox.accept();
  return arrived;
}

function bytes(length: number): Uint8Array {
  const body = new Uint8Array(length);
  // A generator of its own, so that nothing can compress or repeat it.
  let state = 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    body[at] = state >>> 16;
  }
  return body;
}

async function keepsBody(trial: Trial, body: Uint8Array): Promise<void> {
  const arrived = await roundTrip(trial, { contentType: "application/octet-stream", headers: {}, body });
  assertEquals(arrived.body.byteLength, body.byteLength);
  assert(arrived.body.every((byte, at) => byte === body[at]), "The bytes differ");
}

async function keepsHeaders(trial: Trial, headers: FrameHeaders): Promise<void> {
  const arrived = await roundTrip(trial, { contentType: "text/plain", headers, body: new Uint8Array() });
  for (const [name, value] of Object.entries(headers)) {
    const actual = arrived.headers[name];
    assertEquals(actual instanceof Uint8Array ? [...actual] : actual, value instanceof Uint8Array ? [...value] : value);
  }
}

export const frameCases: readonly TransportCase[] = [
  {
    name: "a content type arrives as it was sent",
    async run(trial) {
      const contentType = 'application/vnd.example+json; charset="utf-8"';
      const arrived = await roundTrip(trial, { contentType, headers: {}, body: bytes(3) });
      assertEquals(arrived.contentType, contentType);
    },
  },
  { name: "a body of every byte arrives as it was sent", run: (trial) => keepsBody(trial, bytes(70_000)) },
  { name: "an empty body arrives empty", run: (trial) => keepsBody(trial, new Uint8Array()) },
  {
    name: "a body as large as is allowed, up to a megabyte, arrives as it was sent",
    run: (trial) => keepsBody(trial, bytes(Math.min(2 ** 20, trial.has.maxFrameBytes - 2_048))),
  },
  {
    name: "a body that is too large is refused at once, and the others of its batch are not",
    applies: ({ maxFrameBytes }) => maxFrameBytes < 2 ** 26,
    async run(trial) {
      const queue = await trial.queue();
      const inbox = await trial.receive(queue);
      const body = new Uint8Array(trial.has.maxFrameBytes + 1);
      const large = trial.outgoing(`queue:${queue}`, { frame: { contentType: "a/b", headers: {}, body } });
      const others = ["before", "after"].map((text) => trial.outgoing(`queue:${queue}`, { text }));
      await trial.transport.send([others[0], large, others[1]].flatMap((each) => each?.outgoing ?? []));
      await assertRejects(() => large.settled, MessageTooLargeError);
      await Promise.all(others.map(({ settled }) => settled));
      await trial.came(inbox, 2);
      assertEquals(inbox.texts.toSorted(), ["after", "before"]);
    },
  },
  {
    name: "text headers of four-byte characters, empty ones and long ones arrive as they were sent",
    run: (trial) => keepsHeaders(trial, { a: "𝒳 😀 ü", b: "", c: "x".repeat(2_000), "hero-type": "x;v=2, y" }),
  },
  {
    name: "numbers, truth values, big integers, dates and bytes in headers keep their types",
    run: (trial) =>
      keepsHeaders(trial, {
        zero: 0,
        negative: -5,
        large: 2 ** 53 - 1,
        fraction: 0.1,
        yes: true,
        no: false,
        big: 2n ** 62n,
        date: new Date(1_700_000_000_123),
        bytes: bytes(300),
        none: new Uint8Array(),
      }),
  },
  {
    name: "twenty headers arrive",
    run: (trial) =>
      keepsHeaders(trial, Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`header-${at}`, `value ${at}`]))),
  },
];
