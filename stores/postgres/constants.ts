/** What is the same for many messages, in the text of a statement. @module */

/** So many texts each connection may come to have prepared. */
const mostTexts = 100;

/** Nothing in it means anything to a server, or to who puts values into a text. */
const plain = /^[\w ./+;=:#@~-]*$/;

/**
 * Texts in which two constants stand, as a bus and the name of one of its endpoints. A value is written out, sent and cast
 * for each message; what stands in the text is prepared.
 */
export class ConstantTexts {
  readonly #make: (first: string, second: string) => string;
  readonly #texts = new Map<string, Map<string, string>>();
  #count = 0;

  /** @param make gives the text with both in it, as they stand there */
  constructor(make: (first: string, second: string) => string) {
    this.#make = make;
  }

  /** The text of two; `undefined`: they have to travel beside it. */
  of(first: string, second: string): string | undefined {
    return this.#texts.get(first)?.get(second) ?? this.#add(first, second);
  }

  #add(first: string, second: string): string | undefined {
    if (this.#count >= mostTexts || !plain.test(first) || !plain.test(second)) return undefined;
    const text = this.#make(`'${first}'::text`, `'${second}'::text`);
    let texts = this.#texts.get(first);
    if (texts === undefined) this.#texts.set(first, texts = new Map());
    texts.set(second, text);
    this.#count++;
    return text;
  }
}
