/** What an operator does about a poison message: looks, has the bug mended, and puts the message back. */
import type { Bus, FailedMessage } from "@hero/messaging";
import { gateway, whilePaused } from "./gateway.ts";

/** What the gateway has given up. Looking takes nothing away. */
export function listPoison(bus: Bus): Promise<readonly FailedMessage[]> {
  return whilePaused(bus, () => Array.fromAsync(bus.errors(gateway).list()));
}

/** A failed message in a few lines: which it is, why it failed, when, and how often it was tried. */
export function describe({ messageId, contract, attempts, failedAt, exceptions, body }: FailedMessage): string[] {
  const [exception] = exceptions;
  return [
    `${contract?.name ?? "unreadable"} ${messageId}, ${body.byteLength} bytes`,
    `given up at ${failedAt.toISOString()} after ${attempts} attempts`,
    `${exception?.type}: ${exception?.message.replaceAll(/\s+/g, " ")}`,
  ];
}

/** Puts all of it back; each is handled anew, with its attempts counted from 1. Gives the number. */
export function putBack(bus: Bus): Promise<number> {
  return bus.errors(gateway).requeue("all");
}
