/** What is sent, handled and seen in tests of a bus whose queues and store are in one file. */
import { command, event, query } from "../../mod.ts";
import type { Bus } from "../../src/bus/bus.ts";
import type { SqliteTransaction } from "../../stores/sqlite/mod.ts";
import type { OneFile } from "../support/one_file_trial.ts";
import type { Trial } from "../support/trial.ts";

export const Work = command<{ id: string }>("one.work");
export const Done = event<{ id: string }>("one.done");
export const Alone = command<{ id: string }>("one.alone");
export const Grouped = command<{ id: string }>("one.grouped");
export const Batched = command<{ id: string }>("one.batched");
export const Base = event<{ id: string }>("one.base");
export const Derived = event<{ id: string }>("one.derived", { extends: Base });
export const Missing = command<{ id: string }>("one.missing", { to: "queue:nowhere" });
export const Ask = command<{ id: string }, { id: string }>("one.ask");
export const Look = query<{ id: string }, { id: string }>("one.look");

const of = (endpoint: string): string => `hero_queue_messages WHERE via = 'topic:one.${endpoint}'`;

/** What any other program sees: messages that are to be handled, messages that are out, effects, inbox records. */
export async function seen(file: OneFile): Promise<readonly number[]> {
  return await Promise.all([of("work"), of("done"), "own", "hero_inbox"].map((what) => file.count(what)));
}

/** An endpoint that writes a row and publishes an event for each message. */
export function worker(
  bus: Bus<SqliteTransaction>,
  options: { readonly group?: number } = {},
  between: (id: string, attempt: number) => unknown = () => {},
): void {
  bus.endpoint("work", { outbox: options, redeliver: ["1s"] }).handle(Work, async ({ id }, ctx) => {
    await ctx.tx.run("INSERT INTO own VALUES (?)", id);
    await ctx.publish(Done, { id });
    await between(id, ctx.attempt);
  });
}

/** A subscriber that holds what it gets. */
export function listener(bus: Bus<SqliteTransaction>, got: string[]): void {
  bus.endpoint("done", { concurrency: 1 }).handle(Done, ({ id }) => void got.push(id));
}

/** Starts a bus, and counts what is put into its outbox from then on. */
export async function start(bus: Bus<SqliteTransaction>, file: OneFile): Promise<void> {
  await bus.start();
  await file.watch();
}

export async function send(bus: Bus<SqliteTransaction>, t: Trial, ...ids: readonly string[]): Promise<void> {
  await Promise.all(ids.map((id) => bus.send(Work, { id }, { messageId: id })));
  await t.settled();
}

/** Lets another process have what is being handled, as when this one stood still. */
export function passToAnother(file: OneFile, id: string): Promise<void> {
  return file.run(
    `UPDATE hero_queue_messages SET deliveries = deliveries + 1 WHERE state = 4 AND message_id = '${id}'`,
  );
}
