/** What operators do to a broker, over its management plugin: `rabbitmqctl` takes seconds of processor time for each. */

/** Users, rights and virtual hosts of one node. */
export class Operator {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param url with user and password */
  constructor(url: string) {
    const { origin, username, password } = new URL(url);
    this.#url = origin;
    this.#headers = { authorization: `Basic ${btoa(`${username}:${password}`)}`, "content-type": "application/json" };
  }

  /** Makes a user, or gives one that is there another password. */
  user(name: string, password: string): Promise<void> {
    return this.#ask("PUT", `users/${encodeURIComponent(name)}`, { password, tags: "" });
  }
  deleteUser(name: string): Promise<void> {
    return this.#ask("DELETE", `users/${encodeURIComponent(name)}`);
  }
  /** Grants a user what the patterns match. */
  permit(user: string, vhost = "/", [configure, write, read]: readonly string[] = [".*", ".*", ".*"]): Promise<void> {
    const path = `permissions/${encodeURIComponent(vhost)}/${encodeURIComponent(user)}`;
    return this.#ask("PUT", path, { configure, write, read });
  }
  async vhost(name: string): Promise<void> {
    await this.#ask("PUT", `vhosts/${encodeURIComponent(name)}`, {});
    await this.permit("guest", name);
  }
  deleteVhost(name: string): Promise<void> {
    return this.#ask("DELETE", `vhosts/${encodeURIComponent(name)}`);
  }
  deleteQueue(name: string): Promise<void> {
    return this.#ask("DELETE", `queues/%2F/${encodeURIComponent(name)}`);
  }

  async #ask(method: string, path: string, body?: unknown): Promise<void> {
    const { ok, status, text } = await this.#fetch(method, path, body);
    if (!ok) throw new Error(`The broker answers ${method} ${path} with ${status}: ${text}`);
  }
  async #fetch(method: string, path: string, body: unknown) {
    const answer = await fetch(`${this.#url}/api/${path}`, {
      method,
      headers: this.#headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { ok: answer.ok, status: answer.status, text: await answer.text() };
  }
}
