/** What an endpoint is refused for before it starts. @module */
import { ConfigurationError, UnsupportedError } from "../errors/configuration.ts";
import { shown } from "../errors/shown.ts";
import type { Storage } from "../outbox/storage.ts";
import { derives } from "../pipeline/bindings.ts";
import { checkRetryPolicy } from "../pipeline/retry.ts";
import { checkDestination } from "../pipeline/routing.ts";
import type { SagaParts } from "../sagas/runtime/stages.ts";
import type { Capabilities } from "../spi/transport.ts";
import { milliseconds } from "../values/duration.ts";
import type { EndpointBuilder } from "./endpoint.ts";
import { inboxWindowOf, isStored } from "./endpoint_options.ts";

/**
 * By an index, and by the request that an answer is to, instances are found in stores that have indexes alone.
 *
 * @throws {UnsupportedError}
 */
export function checkLookUps(parts: SagaParts, endpoint: string, storage: () => Storage): void {
  const asking = [...parts.values()].find(({ lookUp }) => lookUp !== undefined);
  if (asking === undefined) return;
  const { name, capabilities } = storage().store;
  if (capabilities.query === "indexed") return;
  throw new UnsupportedError(
    name,
    `finding instances of "${asking.saga.name}" by other than their ids, which "${asking.definition.name}" on ` +
      `"${endpoint}" asks for`,
    `Correlate by id, and let the saga send commands in place of requests; or use a store that has indexes`,
  );
}

/** A message has one unit: it cannot be in that of its batch and in another. */
function checkBatches({ name, declared }: EndpointBuilder): void {
  for (const { definition, batch } of declared) {
    if (batch === undefined) continue;
    const other = declared.find((each) =>
      each.definition !== definition &&
        (derives(each.definition, definition) || derives(definition, each.definition)) ||
      each.definition === definition && each.batch !== batch
    );
    if (other === undefined) continue;
    throw new UnsupportedError(
      "the bus",
      `a message of "${definition.name}" in a batch and beside it in one unit of work, on "${name}"`,
      `Handle "${other.definition.name}" on an endpoint of its own`,
    );
  }
}

/** What is one of few: JavaScript has nobody else to tell of another. */
const choicesOf: Readonly<Record<"queue" | "expired" | "publishFaults" | "keepFailed" | "subscribe", unknown[]>> = {
  queue: ["shared", "instance"],
  expired: ["discard", "error"],
  publishFaults: [true, false],
  keepFailed: [true, false],
  subscribe: [true, false],
};

/**
 * Checks an endpoint's options against one another and against what the transport can.
 *
 * @throws {ConfigurationError} if they cannot work, {@linkcode UnsupportedError} if the transport lacks what they ask for
 */
export function checkOptions(
  builder: EndpointBuilder,
  transport: { readonly name: string; readonly capabilities: Capabilities },
): void {
  const { name, options } = builder;
  const refuse = (why: string): never => {
    throw new ConfigurationError(`The endpoint "${name}" cannot start: ${why}`);
  };
  for (const [what, value] of [["concurrency", options.concurrency], ["prefetch", options.prefetch]] as const) {
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 1)) {
      refuse(`its ${what} is ${shown(value)}. Give a whole number from 1`);
    }
  }
  for (const [what, choices] of Object.entries(choicesOf)) {
    const value = options[what as keyof typeof choicesOf];
    if (value === undefined || choices.includes(value)) continue;
    refuse(`there is no { ${what}: ${shown(value)} }. Say ${choices.map(shown).join(" or ")}`);
  }
  const { outbox } = options;
  if (!["undefined", "boolean", "object"].includes(typeof outbox) && outbox !== "memory" || outbox === null) {
    refuse(`there is no { outbox: ${shown(outbox)} }. Say true, "memory" or { group }`);
  }
  const of = `of the endpoint "${name}"`;
  if (options.hold !== undefined) milliseconds(options.hold, `{ hold } ${of}`);
  if (options.timeout !== undefined && milliseconds(options.timeout, `{ timeout } ${of}`) === 0) {
    refuse(`in a timeout of 0 no handler has ended. Give it more, or leave { timeout } out`);
  }
  if (options.redeliver !== undefined && !Array.isArray(options.redeliver)) {
    refuse(`{ redeliver } is no list of waits. Give one, as in ["1m", "1h"]`);
  }
  for (const wait of options.redeliver ?? []) milliseconds(wait, `a wait in { redeliver } ${of}`);
  if (options.extensions !== undefined && !Array.isArray(options.extensions)) {
    refuse(`{ extensions } are no list. Give one of what the transport makes, as in [memory.queue({ … })]`);
  }
  if (options.order !== undefined && options.order !== "key") refuse(`there is no { order } but "key"`);
  if (options.audit !== undefined) checkDestination(options.audit, `{ audit } of "${name}"`);
  if (options.retry !== undefined) checkRetryPolicy(options.retry, `the endpoint "${name}"`);
  if (options.recoverability !== undefined && typeof options.recoverability !== "function") {
    refuse(
      `its { recoverability } is no function. Give one, as in (error, attempt) => attempt < 3 ? "retry" : "error"`,
    );
  }
  if (options.recoverability !== undefined && (options.retry !== undefined || options.redeliver !== undefined)) {
    refuse(`{ recoverability } stands in place of { retry } and { redeliver }. Leave them out`);
  }
  if (options.order === "key") {
    if (options.redeliver !== undefined && options.overtaking !== "allowed") {
      refuse(`what waits for redelivery is passed by others of its key. Say { overtaking: "allowed" }`);
    }
    if (transport.capabilities.order === "none") {
      throw new UnsupportedError(
        transport.name,
        `{ order: "key" } on "${name}"`,
        `Leave it out: in one process order is kept anyway`,
      );
    }
  }
  for (const extension of options.extensions ?? []) {
    if (extension.transport === transport.name) continue;
    refuse(`it has a setting of "${extension.transport}", and the bus is on "${transport.name}". Leave it out`);
  }
  if (typeof outbox === "object") {
    const { group = 1 } = outbox;
    if (!Number.isSafeInteger(group) || group < 1) refuse(`its group is ${shown(group)}. Give a whole number from 1`);
    if (inboxWindowOf(options, name) === 0) refuse(`an inbox window of 0 knows no message. Leave it out`);
  }
  if (isStored(options) || builder.sagas.length > 0) checkBatches(builder);
}
