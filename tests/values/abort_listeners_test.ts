import { assertEquals } from "@std/assert";
import { AbortListeners } from "../../src/values/abort_listeners.ts";
import { test } from "../support/runner.ts";

/** Counts the listeners that a signal has. */
function counted(): { readonly controller: AbortController; readonly count: () => number } {
  const controller = new AbortController();
  const { signal } = controller;
  let count = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    count++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    count--;
    remove(...args);
  };
  return { controller, count: () => count };
}

test("many that wait for one signal are one listener on it, and each is told once", () => {
  const { controller, count } = counted();
  const listeners = new AbortListeners();
  const told: number[] = [];
  const waits = Array.from({ length: 100 }, (_, at) => () => void told.push(at));
  for (const wait of waits) listeners.add(controller.signal, wait);
  assertEquals(count(), 1);
  for (const wait of waits.slice(10)) listeners.remove(controller.signal, wait);
  controller.abort();
  assertEquals(told, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("the last that waits no longer leaves nothing on the signal, and another may wait again", () => {
  const { controller, count } = counted();
  const listeners = new AbortListeners();
  let told = 0;
  const wait = (): void => void told++;
  listeners.add(controller.signal, wait);
  listeners.remove(controller.signal, wait);
  listeners.remove(controller.signal, wait);
  assertEquals(count(), 0);
  listeners.add(controller.signal, wait);
  assertEquals(count(), 1);
  controller.abort(new Error("enough"));
  assertEquals(told, 1);
});
