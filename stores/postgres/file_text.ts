/** The text of a file that is to be run. @module */
import { readFile } from "node:fs/promises";

/** Read once, when it is to be run. */
export class FileText {
  readonly #path: string;
  #reading: Promise<void> | undefined;
  #text: string | undefined;
  #failure: unknown;

  constructor(path: string) {
    this.#path = path;
  }

  /** Reads it. Does not reject. */
  read(): Promise<void> {
    return this.#reading ??= readFile(this.#path, "utf8").then((text) => {
      this.#text = text;
    }, (thrown) => {
      this.#failure = thrown;
    });
  }

  /** @throws why it could not be read */
  get text(): string {
    if (this.#text === undefined) throw this.#failure;
    return this.#text;
  }
}
