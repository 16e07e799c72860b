/** The `hero-type` header: what a message is, and what it also is. @module */
import type { Definition } from "../contracts/definition.ts";

/** One name in `hero-type`. */
export interface TypeName {
  readonly name: string;
  readonly version: number;
}

/** `name;v=2, base, …`, most specific first. */
export function messageType(definition: Definition): string {
  let text = "";
  for (let at: Definition | undefined = definition; at !== undefined; at = at.base) {
    if (text !== "") text += ", ";
    text += at.version === 1 ? at.name : `${at.name};v=${at.version}`;
  }
  return text;
}

const mostNames = 64;

/** The names in a `hero-type` header; none where it is not one. */
export function parseMessageType(text: string): readonly TypeName[] {
  const types: TypeName[] = [];
  for (const part of text.split(",", mostNames)) {
    const [name = "", ...parameters] = part.trim().split(";");
    if (name === "") continue;
    const version = parameters.map((each) => /^\s*v=(\d{1,9})\s*$/.exec(each)?.[1]).find((each) => each !== undefined);
    types.push({ name: name.trim(), version: version === undefined ? 1 : Math.max(1, Number(version)) });
  }
  return types;
}
