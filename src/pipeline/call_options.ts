/** What single calls may say: JavaScript has nobody else to tell of a typo. @module */
import { ConfigurationError } from "../errors/configuration.ts";
import { isSignal, noSignal } from "../values/abortable.ts";
import { noOptionsAtAll, type OptionNames, unknownOption } from "../values/option_names.ts";
import type { PublishOptions, RequestOptions, ScheduleOptions, SendOptions } from "./sending.ts";

/** What is called. */
export type CallKind = "publish" | "send" | "request" | "schedule" | "unschedule";

const publishNames: OptionNames<PublishOptions<unknown>> = {
  messageId: true,
  correlationId: true,
  key: true,
  priority: true,
  headers: true,
  ttl: true,
  signal: true,
  delay: true,
  tx: true,
};
const { delay: _, tx: __, ...messageNames } = publishNames;
const sendNames: OptionNames<SendOptions<unknown>> = { ...publishNames, to: true };
const requestNames: OptionNames<RequestOptions> = { ...messageNames, to: true, timeout: true };
const scheduleNames: OptionNames<ScheduleOptions<unknown>> = {
  ...messageNames,
  to: true,
  tx: true,
  token: true,
  late: true,
};

/** Looked into once for each option of each call: a set is twice as fast there as an object. */
const known: Readonly<Record<CallKind, ReadonlySet<string>>> = {
  publish: new Set(Object.keys(publishNames)),
  send: new Set(Object.keys(sendNames)),
  request: new Set(Object.keys(requestNames)),
  schedule: new Set(Object.keys(scheduleNames)),
  unschedule: new Set(["tx"]),
};

/** What other calls may say and this may not, and why. */
const refused: Readonly<Record<CallKind, Readonly<Record<string, string>>>> = {
  publish: { to: "an event goes to whoever subscribes. Leave it out, or route the event: createBus({ routes })" },
  send: {},
  request: {
    tx: "a request leaves at once, and its answer could not come before the commit. Send a command with { tx }, " +
      "or request before the transaction or after it",
    delay: "whoever asks waits meanwhile. Send or schedule a command",
  },
  schedule: { delay: "the third argument says when. Leave it out" },
  unschedule: {},
};

/**
 * What options deserve that the call does not have; `undefined`: it has them all.
 *
 * @param whose the bus, endpoint or mediator that is called
 * @returns an error which says why, or names the nearest
 */
export function callOptionsError(kind: CallKind, options: object, whose: string): ConfigurationError | undefined {
  if (typeof options !== "object" || options === null) {
    return noOptionsAtAll(options, [...known[kind]], called(kind, whose));
  }
  const { signal } = options as { readonly signal?: AbortSignal | undefined };
  if (signal !== undefined && !isSignal(signal)) return noSignal(signal, called(kind, whose));
  const names = known[kind];
  for (const name in options) {
    if (names.has(name)) continue;
    const error = errorOf(kind, name, options, whose);
    if (error !== undefined) return error;
  }
  return undefined;
}

function called(kind: CallKind, whose: string): string {
  return `${kind}() on "${whose}"`;
}

/** Apart: it is hardly ever called, and the check that is called for each message stays small. */
function errorOf(kind: CallKind, name: string, options: object, whose: string): ConfigurationError | undefined {
  const why = refused[kind][name];
  if (why === undefined) return unknownOption(name, [...known[kind]], called(kind, whose));
  // Options that several calls share may leave open what this one has not.
  if ((options as Record<string, unknown>)[name] === undefined) return undefined;
  return new ConfigurationError(`Cannot use { ${name} } for ${kind}() on "${whose}": ${why}`, {
    details: { option: name },
  });
}

/** The same where what is sent is part of a unit of work, or of none: it cannot join another. */
export function unitOptionsError(kind: CallKind, options: object, whose: string): ConfigurationError | undefined {
  const error = callOptionsError(kind, options, whose);
  if (error !== undefined || (options as { readonly tx?: unknown }).tx === undefined) return error;
  return new ConfigurationError(
    `Cannot use { tx } for ${kind}() on "${whose}": what is sent there is part of its own unit of work, if it has one, ` +
      `and cannot join another. Leave it out, or use the bus' own ${kind}()`,
    { details: { option: "tx" } },
  );
}
