/** Promises that reject while nobody waits for them. */

/** What of Node's process is used, where there is one. */
interface Emitter {
  on(event: "unhandledRejection", listen: (reason: unknown) => void): void;
  off(event: "unhandledRejection", listen: (reason: unknown) => void): void;
}

/** Gives what was rejected, and handled by nobody, while `work` ran and a turn after it. */
export async function unhandledDuring(work: () => Promise<void>): Promise<readonly unknown[]> {
  const reasons: unknown[] = [];
  const heard = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    reasons.push(event.reason);
  };
  const told = (reason: unknown): void => void reasons.push(reason);
  const { process } = globalThis as { readonly process?: Emitter };
  const standard = "onunhandledrejection" in globalThis || process === undefined;
  if (standard) globalThis.addEventListener("unhandledrejection", heard);
  else process.on("unhandledRejection", told);
  try {
    await work();
    // They are told of when the microtasks are over.
    await new Promise((wake) => setTimeout(wake));
  } finally {
    if (standard) globalThis.removeEventListener("unhandledrejection", heard);
    else process.off("unhandledRejection", told);
  }
  return reasons;
}

/** Whether an unhandled rejection can be planted without the test runner itself failing the test for it. */
export const plantable: boolean = "Deno" in globalThis;
