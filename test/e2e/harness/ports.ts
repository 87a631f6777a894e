/** Free loopback ports, below those that the kernel takes for outgoing connections. */
import { createServer } from "node:net";

const LOWEST = 12_000;
const EPHEMERAL_FROM = 32_768;

/** Each worker process begins elsewhere, so that test files beside each other do not collide. */
let next = LOWEST + ((process.pid * 101) % (EPHEMERAL_FROM - LOWEST - 1_000));

function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () =>
      probe.close(() => resolve(true)),
    );
  });
}

export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    next = next + 1 < EPHEMERAL_FROM ? next + 1 : LOWEST;
    const port = next; // others may ask meanwhile
    if (await isFree(port)) found.push(port);
  }
  return found;
}
