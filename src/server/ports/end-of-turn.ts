/**
 * The EndOfTurn port: Node's check phase comes after all sockets and files that were ready in this
 * turn of the loop have been handled, so what they brought leaves in one write.
 */
import type { EndOfTurn } from "../../base/ports.js";

export const nodeEndOfTurn: EndOfTurn = {
  schedule(callback: () => void): void {
    setImmediate(callback);
  },
};
