/** What lasts, lasts as long as it was told to, also where a machine's clock is set meanwhile. */
import { assertEquals } from "@std/assert";
import { command, createBus, query, RequestTimeoutError } from "../../mod.ts";
import { turn } from "../../src/testing/turn.ts";
import { memory } from "../../transports/memory/mod.ts";
import { test } from "../support/runner.ts";
import { SettableClock } from "../support/settable_clock.ts";
import { Latch } from "../support/trial.ts";

const Ask = query<{ id: string }, string>("clocks.ask");
const Relay = command<{ id: string; forMs: number }>("clocks.relay");
const Work = command<{ id: string }>("clocks.work");
const hour = 3_600_000;
const sets = [["back", -2 * hour], ["on", 2 * hour]] as const;

for (const [where, by] of sets) {
  test(`a request takes as long as its timeout, though the clock is set ${where} meanwhile`, async () => {
    const clock = new SettableClock();
    const bus = createBus({ name: "app", transport: memory(), clock });
    const latch = new Latch();
    const ended: string[] = [];
    const ask = (id: string, timeout: number, asking: { request: typeof bus.request } = bus): Promise<void> =>
      asking.request(Ask, { id }, { timeout }).then((answer) => void ended.push(answer), (error) => {
        ended.push(error instanceof RequestTimeoutError ? id : String(error));
      });
    bus.endpoint("slow").handle(Ask, async ({ id }) => {
      await latch.pass();
      return `answer to ${id}`;
    });
    bus.endpoint("relay").handle(Relay, ({ id, forMs }, ctx) => ask(id, forMs, ctx));
    await bus.start();
    void ask("10 s", 10_000);
    const last = ask("30 s", 30_000);
    await bus.send(Relay, { id: "15 s", forMs: 15_000 });
    await turn();
    clock.set(by);
    const pass = async (ms: number): Promise<readonly string[]> => {
      clock.advance(ms);
      await turn();
      return ended;
    };
    assertEquals(await pass(9_999), []);
    assertEquals(await pass(1), ["10 s"]);
    assertEquals(await pass(5_000), ["10 s", "15 s"]);
    assertEquals(await pass(14_999), ["10 s", "15 s"]);
    assertEquals(await pass(1), ["10 s", "15 s", "30 s"]);
    await last;
    latch.open();
    await bus.stop();
  });

  test(`an attempt takes as long as its endpoint's timeout, though the clock is set ${where} meanwhile`, async () => {
    const clock = new SettableClock();
    const bus = createBus({ name: "app", transport: memory(), clock });
    const latch = new Latch();
    const aborted: string[] = [];
    bus.endpoint("slow", { timeout: "30s" }).handle(Work, ({ id }, ctx) => {
      ctx.signal.addEventListener("abort", () => aborted.push(id));
      return latch.pass();
    });
    await bus.start();
    const pass = async (ms: number): Promise<readonly string[]> => {
      clock.advance(ms);
      await turn();
      return aborted;
    };
    await bus.send(Work, { id: "first" });
    await pass(10_000);
    await bus.send(Work, { id: "last" });
    await turn();
    clock.set(by);
    assertEquals(await pass(19_999), []);
    assertEquals(await pass(1), ["first"]);
    assertEquals(await pass(9_999), ["first"]);
    assertEquals(await pass(1), ["first", "last"]);
    latch.open();
    await bus.stop();
  });
}
