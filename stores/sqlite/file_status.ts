/** How a file is, for those who use it. @module */
import type { Host } from "../../src/spi/transport.ts";
import type { File } from "./file.ts";
import type { GoneListener } from "./file_identity.ts";
import type { HeldListener } from "./writer_lock.ts";

/**
 * Says how it is, now and whenever that changes: that it is gone, or that others wait for a transaction for long.
 *
 * @param ends until one of these aborts
 */
export function tellOfFile({ writing, identity }: File, status: Host["status"], ends: readonly AbortSignal[]): void {
  let held: Error | undefined;
  let gone: Error | undefined = identity.gone;
  const tell = (): void => {
    if (gone !== undefined) status({ state: "down", cause: gone });
    else if (held !== undefined) status({ state: "degraded", cause: held });
    else status({ state: "up" });
  };
  const holding: HeldListener = (now) => {
    held = now;
    tell();
  };
  const going: GoneListener = (now) => {
    gone = now;
    tell();
  };
  writing.listeners.add(holding);
  identity.listeners.add(going);
  for (const end of ends) {
    end.addEventListener("abort", () => {
      writing.listeners.delete(holding);
      identity.listeners.delete(going);
    }, { once: true });
  }
  tell();
}
