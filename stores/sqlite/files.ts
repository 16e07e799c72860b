/** The files that a process has open. @module */
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { wantedPages } from "./checkpoints.ts";
import { Connection, type NativeDatabase } from "./connection.ts";
import { explain } from "./errors.ts";
import { File, type Soon } from "./file.ts";
import { FileIdentity } from "./file_identity.ts";
import { type Patience, patiently } from "./patience.ts";
import { makeWritable } from "./writable.ts";

type NativeConstructor = new (path: string, options: { readonly timeout: number }) => NativeDatabase;

/** SQLite's own. */
const pageBytes = 4_096;

/** The files that a process has open. */
export class Files {
  readonly #open = new Map<string, { readonly file: File; users: number }>();

  /** Opens a file, or shares it with who has it open. To be given back. */
  async acquire(path: string, synchronous: "full" | "normal", patience: Patience): Promise<File> {
    const native = await load();
    const { clearTimeout, setImmediate, setTimeout } = await import("node:timers");
    const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
    const soon: Soon = (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    };
    try {
      return await patiently(() => this.#acquire(native, path, synchronous, turn, soon), path, patience);
    } catch (error) {
      throw explain(error, path);
    }
  }

  /** Gives a file back; the last one closes it. */
  async release(file: File): Promise<void> {
    const shared = this.#open.get(file.path);
    if (shared === undefined || --shared.users > 0) return;
    this.#open.delete(file.path);
    await file.close();
  }

  #acquire(
    native: NativeConstructor,
    path: string,
    synchronous: "full" | "normal",
    turn: () => Promise<void>,
    soon: Soon,
  ): File {
    const writer = new native(path, { timeout: 0 });
    let reader: NativeDatabase | undefined;
    try {
      // Older ones do not tell when SQLite has ended a transaction by itself.
      if (typeof writer.isTransaction !== "boolean") throw tooOld();
      // As SQLite knows it: the same for every way to name it.
      const [main] = writer.prepare("PRAGMA database_list").all() as readonly { readonly file: string }[];
      // A URI can say so, in several ways.
      if (!main?.file) throw lastsNot(path);
      const name = main.file;
      let shared = this.#open.get(name);
      if (shared !== undefined) writer.close();
      else {
        makeWritable(writer, path);
        writer.exec("PRAGMA synchronous = NORMAL");
        // What a reader that held a snapshot for long has made of the log is given back to the disk.
        writer.exec(`PRAGMA journal_size_limit = ${2 * wantedPages * pageBytes}`);
        reader = new native(path, { timeout: 0 });
        reader.exec("PRAGMA query_only = 1");
        const connections = [new Connection(writer), new Connection(reader)] as const;
        shared = { file: new File(name, ...connections, turn, soon, new FileIdentity(name, soon)), users: 0 };
        this.#open.set(name, shared);
      }
      shared.users++;
      // What one store asks for, all on the file get.
      if (synchronous === "full") shared.file.last();
      return shared.file;
    } catch (error) {
      reader?.close();
      writer.close();
      throw error;
    }
  }
}

async function load(): Promise<NativeConstructor> {
  try {
    const { DatabaseSync } = await import("node:sqlite");
    return DatabaseSync;
  } catch (error) {
    throw tooOld(error);
  }
}

function lastsNot(path: string): ConfigurationError {
  return new ConfigurationError(
    `Cannot use the SQLite file "${path}": it is none, but a database in memory. ` +
      `Name a file, or use memoryStore() and memory() where nothing is to last`,
  );
}

function tooOld(cause?: unknown): ConfigurationError {
  return new ConfigurationError(
    `Cannot use a SQLite store: this runtime has no node:sqlite, or too old a one. ` +
      `Use Deno ≥ 2.9, Node ≥ 22.18, or a Bun that has it`,
    { cause },
  );
}
