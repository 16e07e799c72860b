/** An endpoint that takes rows in batches. */
import {
  type BatchContext,
  type BatchHandler,
  type BatchOptions,
  type Bus,
  command,
  type ConsumeContext,
  type EndpointOptions,
  event,
} from "../../mod.ts";
import type { Trial } from "../support/trial.ts";

export interface Row {
  readonly id: string;
  readonly group?: string;
}
export const Insert = command<Row>("batch.insert");
export const Keyed = command<Row>("batch.keyed", { key: ({ group }) => group ?? "" });
export const Done = event<{ ids: string }>("batch.done");
export type Items = readonly ConsumeContext<Row>[];

export const idsOf = (items: Items): string => items.map(({ message }) => message.id).join(" ");

export async function started(
  t: Trial,
  batch: BatchOptions<Row>,
  handler: (items: Items, context: BatchContext<unknown>) => unknown = () => {},
  options: EndpointOptions = {},
): Promise<{ readonly bus: Bus; readonly batches: string[]; send(...ids: readonly string[]): Promise<void> }> {
  const bus = t.bus();
  const batches: string[] = [];
  const run: BatchHandler<Row> = async (items, context) => {
    batches.push(idsOf(items));
    await handler(items, context);
  };
  bus.endpoint("rows", options).batch(Insert, batch, run);
  await bus.start();
  return {
    bus,
    batches,
    async send(...ids) {
      for (const id of ids) {
        const [messageId = "", group] = id.split("@");
        await bus.send(Insert, group === undefined ? { id: messageId } : { id: messageId, group }, { messageId });
      }
      await t.settled();
    },
  };
}
