/**
 * The end of a turn of the page's event loop: a message to oneself, which browsers do not slow down
 * as they do timers. A page that goes away has no next turn, so from `pagehide` on everything is
 * run before the event is over: a client that is closed there still says so to its node.
 */

type Callback = () => void;

class Turn {
  readonly #waiting: Callback[] = [];
  #isLeaving = false;
  readonly #ring: () => void;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => this.#waiting.shift()?.();
    this.#ring = () => port2.postMessage(null);
    // Workers have no such events: they are ended without notice.
    addEventListener("pagehide", () => {
      this.#isLeaving = true;
      for (const callback of this.#waiting.splice(0)) queueMicrotask(callback);
    });
    // It was kept, and is shown again.
    addEventListener("pageshow", () => {
      this.#isLeaving = false;
    });
  }

  atEnd(callback: Callback): void {
    if (this.#isLeaving) {
      queueMicrotask(callback);
      return;
    }
    this.#waiting.push(callback);
    this.#ring();
  }
}

let turn: Turn | null = null;

/** Calls back once, when what is ready in this turn has been handled. */
export function schedule(callback: Callback): void {
  // Not before it is needed: a server that renders pages may load this module and never call it.
  turn ??= new Turn();
  turn.atEnd(callback);
}
