/** What the broker says, as errors of the library. @module */
import { notPermitted } from "../../src/errors/not_permitted.ts";
import {
  AccessRefusedError,
  AcknowledgementTimeoutError,
  DisconnectedError,
  TopologyError,
} from "../../src/errors/transport.ts";

/** As extensions and errors name this transport. */
export const transportName = "rabbitmq";

/** AMQP's reply codes that are acted upon. */
export const codes = {
  accessRefused: 403,
  notFound: 404,
  resourceLocked: 405,
  preconditionFailed: 406,
} as const;

/** The reply code that the client puts on an error which the broker caused. */
export function codeOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "number" ? error.code : undefined;
}

/** Says what was refused, and why, in the broker's words. */
export function accessRefused(error: unknown, entity: string, doing: string): AccessRefusedError {
  const [, why] = /ACCESS_REFUSED - ([^"]*?)\.?(?:"|$)/.exec(textOf(error)) ?? [];
  return new AccessRefusedError(entity, doing, { cause: error, ...(why === undefined ? {} : { why }) });
}

/** The text of anything thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * Why a node could not be connected to, as an error of the library.
 *
 * @param error as the client gives it; the broker's part of it is as in `403 (ACCESS-REFUSED)`
 */
export function unreached(
  error: unknown,
  node: { readonly host: string; readonly port: number; readonly vhost: string },
): Error {
  const at = `${node.host}:${node.port}`;
  const text = textOf(error).trim();
  if (/ACCESS.REFUSED/.test(text)) return accessRefused(error, `${at}, vhost ${node.vhost}`, "connect to");
  // The client does not pass on what the broker says of the vhost.
  if (/Expected ConnectionOpenOk/.test(text)) {
    const why = `${at} does not open it: it is missing there, or the user has no right to it`;
    const instead = "No bus can make it: see that the URL means that one, and have an operator make it with " +
      `"rabbitmqctl add_vhost ${node.vhost}" and "rabbitmqctl set_permissions", or the management plugin; ` +
      `it is connected to again by itself`;
    return new TopologyError([`vhost:${node.vhost}: ${why}`], { cause: error, instead });
  }
  return notPermitted(error, `RabbitMQ at "${at}"`, "--allow-net") ??
    new DisconnectedError(transportName, `connect to ${at}`, { why: text, cause: error });
}

/** What a name in the broker's text stands for: `exchange 'a'` in `NOT_FOUND - no exchange 'a' in vhost '/'`. */
export function entityIn(error: unknown): { readonly kind: "exchange" | "queue"; readonly name: string } | undefined {
  const [, kind, name] = /\b(exchange|queue) '([^']*)'/.exec(textOf(error)) ?? [];
  return name === undefined ? undefined : { kind: kind === "queue" ? "queue" : "exchange", name };
}

/**
 * How an entity differs from what it should be, or why it cannot be that, for a person; `undefined` if the error says
 * nothing of it.
 *
 * @param error as in `inequivalent arg 'x-queue-type' for queue 'a' in vhost '/': received none but current is …`
 */
export function mismatchIn(error: unknown): string | undefined {
  const pattern = /inequivalent arg '([^']*)' for .*?: received (.*?) but current is (.*?)"?$/;
  const [, argument, wanted = "", current = ""] = pattern.exec(textOf(error)) ?? [];
  if (argument === undefined) return refusedIn(textOf(error));
  return `its argument "${argument}" is ${value(current)} there, and should be ${value(wanted)}. ` +
    `Change the configuration to what is there, or delete it once it is empty`;
}

/** The same where the broker takes an argument for no queue of that type, or not with that value. */
function refusedIn(text: string): string | undefined {
  const ofType = /invalid arg '([^']*)' for .* of queue type (?:rabbit_)?(\w+?)(?:_queue)?"?$/.exec(text);
  if (ofType !== null) {
    const [, argument, type] = ofType;
    return `a ${type} queue has no argument "${argument}". Leave it out, or give the queue another { type }`;
  }
  const [, argument, why] = /invalid arg '([^']*)' for .*? in vhost '[^']*': (.*?)"?$/.exec(text) ?? [];
  return argument && `the broker does not take its argument "${argument}" (${why}). Give another value`;
}

/** `the value 'quorum' of type 'longstr'` is `"quorum"`. */
function value(text: string): string {
  if (text === "none") return "not set";
  const [, inner] = /'(.*?)'/.exec(text) ?? [];
  return inner === undefined ? text : `"${inner}"`;
}

/**
 * Why a channel of a consumer ended, as an error of the library.
 *
 * @param reason what the broker said; `undefined`: nothing, the connection broke
 */
export function lossOf(reason: Error | undefined, entity: string): Error {
  const [, limit] = /acknowledgement on channel \d+ timed out.*?Timeout value used: (\d+) ms/s.exec(textOf(reason)) ??
    [];
  if (limit !== undefined) return new AcknowledgementTimeoutError(entity, Number(limit), { cause: reason });
  return new DisconnectedError(transportName, `receive from "${entity}"`, { cause: reason });
}

const unchanged = 'What is there already is changed by nobody, nor by bus.deploy("apply")';

/**
 * What the broker refused to do, as an error of the library.
 *
 * @param entity an address, as in `queue:orders`
 * @param doing what was under way, as in `receive from`
 */
export function toTyped(error: unknown, entity: string, doing: string): Error {
  switch (codeOf(error)) {
    case codes.accessRefused:
      if (textOf(error).includes("in exclusive use")) {
        return new TopologyError([`${entity}: another consumer has it for itself`], {
          cause: error,
          instead: "Stop that one, or give both { singleActiveConsumer: true } in place of { exclusive }",
        });
      }
      return accessRefused(error, entity, doing);
    case codes.notFound: {
      const named = entityIn(error);
      const other = named !== undefined && entity.slice(entity.indexOf(":") + 1) !== named.name;
      if (!other) return TopologyError.missing(entity, { cause: error });
      return new TopologyError([`${entity}: the ${named.kind} "${named.name}" is missing`], { cause: error });
    }
    case codes.resourceLocked:
      return new TopologyError([`${entity}: another connection has it for itself`], {
        cause: error,
        instead: "Close that connection, or give the endpoint another name",
      });
    case codes.preconditionFailed: {
      const mismatch = mismatchIn(error);
      return new TopologyError([`${entity}: ${mismatch ?? textOf(error)}`], {
        cause: error,
        ...(mismatch === undefined ? {} : { instead: unchanged }),
      });
    }
    default:
      return new DisconnectedError(transportName, `${doing} "${entity}"`, { cause: error });
  }
}
