/** A signal that counts who listens to it, as no web standard does. */
export class CountedSignal extends AbortController {
  listeners = 0;
  /** The most that there were at once. */
  most = 0;

  constructor() {
    super();
    const { signal } = this;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    const known = new Set<unknown>();
    const count = () => {
      this.listeners = known.size;
      this.most = Math.max(this.most, known.size);
    };
    Object.assign(signal, {
      addEventListener: (...args: Parameters<typeof add>) => {
        known.add(args[1]);
        count();
        add(...args);
      },
      removeEventListener: (...args: Parameters<typeof remove>) => {
        known.delete(args[1]);
        count();
        remove(...args);
      },
    });
  }
}
