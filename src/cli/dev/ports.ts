/**
 * Free loopback ports for `holdfast dev --port 0`: probed by binding, below the range from which
 * the kernel takes ports for outgoing connections, so that none of those gets in between.
 */
import { createServer } from "node:net";

const LOWEST = 10_000;
const EPHEMERAL_FROM = 32_768;
const ATTEMPTS = 200;

export function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () =>
      probe.close(() => resolve(true)),
    );
  });
}

/** `count` different ports that were free just now. Throws when the machine has none to give. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found = new Set<number>();
  for (let attempt = 0; attempt < ATTEMPTS && found.size < count; attempt += 1) {
    const port = LOWEST + Math.floor(Math.random() * (EPHEMERAL_FROM - LOWEST));
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  if (found.size < count) throw new Error(`no ${count} free ports on 127.0.0.1 below 32768`);
  return [...found];
}
