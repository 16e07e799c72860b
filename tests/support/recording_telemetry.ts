/** Telemetry that writes down what it sees: what tests of it have in common. */
import type { ProcessActivity, SendActivity, Span, Telemetry, TraceHeaders } from "../../src/spi/telemetry.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";

/** A span, as it was begun and ended. */
export interface RecordedSpan<Activity> {
  readonly activity: Activity;
  /** What it gave to be carried on. */
  readonly trace: TraceHeaders;
  /** How often it was asked to run handlers. */
  runs: number;
  /** The errors it ended with: of one span, one entry. */
  readonly ended: (Error | undefined)[];
}

/** Records every call, each span under a trace of its own. */
export class RecordingTelemetry implements Telemetry {
  readonly sends: RecordedSpan<SendActivity>[] = [];
  readonly processes: RecordedSpan<ProcessActivity>[] = [];
  /** As `endpoint count`. */
  readonly received: string[] = [];
  /** As `endpoint outcome count`. */
  readonly settled: string[] = [];
  /** The spans whose handlers run now, the innermost last. */
  readonly active: RecordedSpan<ProcessActivity>[] = [];
  #spans = 0;

  send(activity: SendActivity): Span {
    const recorded = this.#record(activity);
    this.sends.push(recorded);
    return { trace: recorded.trace, end: (error) => void recorded.ended.push(error) };
  }
  process(activity: ProcessActivity): Span {
    const recorded = this.#record(activity);
    this.processes.push(recorded);
    return {
      trace: recorded.trace,
      run: (work) => {
        recorded.runs++;
        this.active.push(recorded);
        try {
          return work();
        } finally {
          this.active.pop();
        }
      },
      end: (error) => void recorded.ended.push(error),
    };
  }
  receive(_bus: string, endpoint: string, count: number): void {
    this.received.push(`${endpoint} ${count}`);
  }
  settle(_bus: string, endpoint: string, outcome: string, count: number): void {
    this.settled.push(`${endpoint} ${outcome} ${count}`);
  }

  #record<Activity>(activity: Activity): RecordedSpan<Activity> {
    const id = `${++this.#spans}`.padStart(16, "0");
    return {
      activity,
      trace: { traceparent: `00-${traceId}-${id}-01`, tracestate: `vendor=${id}`, baggage: "tenant=acme" },
      runs: 0,
      ended: [],
    };
  }
}
