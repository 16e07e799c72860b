/**
 * Messaging for Deno, Bun and Node: typed commands, queries and events over a bus.
 *
 * @module
 */
export { HeroError } from "./src/errors/hero_error.ts";
