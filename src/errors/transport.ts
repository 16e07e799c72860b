/** Errors of transports. @module */
import { HeroError, type HeroErrorOptions } from "./hero_error.ts";

/** The transport, store or receiver has been closed. */
export class ClosedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_CLOSED";
  /**
   * Puts it into words.
   *
   * @param what was closed, as in `the transport "memory"`
   */
  constructor(what: string, options?: ErrorOptions) {
    super(`Cannot go on: ${what} is closed. Start a new bus, with a transport and a store made anew`, {
      ...options,
      details: { what },
    });
  }
}

/** The broker refused for want of a right. */
export class AccessRefusedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_ACCESS_REFUSED";
  /**
   * Puts it into words.
   *
   * @param entity what was refused, as in `queue:orders`
   * @param options `why`: in the words of the broker or database
   */
  constructor(entity: string, doing: string, { why, ...options }: ErrorOptions & { readonly why?: string } = {}) {
    super(
      `Cannot ${doing} "${entity}": access was refused${why === undefined ? "" : ` (${why})`}. ` +
        `Check the bus' user and password, and grant that user the right to it`,
      { ...options, details: { entity, doing, ...(why === undefined ? {} : { why }) } },
    );
  }
}

/** Who the bus is to its broker, or its certificates, were not to be had from the callback that says it. */
export class CredentialsError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_CREDENTIALS";
  /**
   * Puts it into words.
   *
   * @param node what was to be connected to, as in `rabbit.example:5672`
   * @param why as in `did not come within 10000 ms`
   * @param options `asked`: by which callback's name; left out: `credentials`
   */
  constructor(
    transport: string,
    node: string,
    why: string,
    { asked = "credentials", ...options }: ErrorOptions & { readonly asked?: "credentials" | "tls" } = {},
  ) {
    const [what, gives] = asked === "tls"
      ? ["certificates", "{ ca, cert, key }"]
      : ["credentials", "{ username, password }"];
    super(
      `Cannot connect "${transport}" to ${node}: its ${what} ${why}. The callback { ${asked} } is asked again ` +
        `by itself; see that it gives ${gives}, and within { connectTimeout }, or raise that`,
      { ...options, details: { transport, node, asked, why } },
    );
  }
}

/** The broker is away, or went away while it was asked; what became of the call is unknown. */
export class DisconnectedError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_DISCONNECTED";
  /**
   * Puts it into words.
   *
   * @param doing what was under way
   * @param options `why`: where there is no connection yet, what keeps it from being made
   */
  constructor(transport: string, doing: string, { why, ...options }: ErrorOptions & { readonly why?: string } = {}) {
    super(
      why === undefined
        ? `Lost "${transport}" while it was to ${doing}. ` +
          `It is connected again by itself; try again, with the same message id`
        : `Cannot ${doing}: ${why}. "${transport}" goes on trying by itself; ` +
          `see that its broker runs there, and can be reached from here`,
      { ...options, details: { transport, doing, ...(why === undefined ? {} : { why }) } },
    );
  }
}

/** The broker took messages back, as one was not settled in the time that it allows. */
export class AcknowledgementTimeoutError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_ACKNOWLEDGEMENT_TIMEOUT";
  /**
   * Puts it into words.
   *
   * @param entity where it came from, as in `queue:orders`
   * @param limitInMs what the broker allows
   */
  constructor(entity: string, limitInMs: number, options?: ErrorOptions) {
    super(
      `The broker took back what came from "${entity}": a message was not settled within ${limitInMs} ms. It comes ` +
        `again. Lower the endpoint's prefetch, have its handlers end sooner, or raise the broker's limit`,
      { ...options, details: { entity, limitInMs } },
    );
  }
}

/** What a queue, topic or table is, and what it should be, differ. */
export class TopologyError extends HeroError {
  /** Stable: branch on it. */
  override readonly code = "HERO_TOPOLOGY";
  /**
   * Puts it into words.
   *
   * @param problems one entry a missing or different entity: `queue:orders: …`
   * @param options `instead`: what to do where `bus.deploy` cannot mend it; `missing`: what is not there at all, as in
   * `queue:orders`, also in the details
   */
  constructor(
    problems: readonly string[],
    { instead, missing, ...options }: HeroErrorOptions & { readonly instead?: string; readonly missing?: string } = {},
  ) {
    super(
      `The topology is not as it must be: ${problems.join("; ")}. ` +
        (instead ??
          'Run bus.deploy("apply") with the right to manage it, or change the configuration to what is there'),
      { ...options, details: { problems, ...(missing === undefined ? {} : { missing }) } },
    );
  }

  /**
   * Of what is not there at all.
   *
   * @param entity as in `queue:orders`
   */
  static missing(entity: string, options?: ErrorOptions): TopologyError {
    // By its own name within it, a bundle would call the class otherwise, and errors tell that.
    return new this([`${entity}: it is missing`], { ...options, missing: entity });
  }
}
