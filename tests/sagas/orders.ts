/** Contracts that the tests of the machine share. */
import { command, event, query } from "../../mod.ts";

export const Submitted = event<{ id: string; total: number }>("orders.submitted");
export const Paid = event<{ id: string; paymentId: string }>("orders.paid");
export const Packed = event<{ id: string }>("orders.packed");
export const Failed = event<{ id: string; reason: string }>("orders.failed");
export const Noted = event<{ text: string }>("orders.noted");
export const Ship = command<{ id: string }>("orders.ship");
export const Undo = command<{ what: string }>("orders.undo");
export const GetState = query<{ id: string }, { state: string }>("orders.get-state");
export const CheckAddress = query<{ id: string }, { ok: boolean }>("addresses.check");

/** An error that steps of tests throw. */
export class CardError extends Error {
  readonly bank: string;

  constructor(bank: string) {
    super(`The card of ${bank} was refused`);
    this.name = "CardError";
    this.bank = bank;
  }
}
