/** The links over real sockets: a process that dies is one whose sockets end. */
import { afterEach, describe, expect, test } from "vitest";
import type { Connection, Network } from "../../src/base/network.js";
import { nodeNetwork } from "../../src/server/network/index.js";
import { nodeClock, nodeEndOfTurn } from "../../src/server/ports/index.js";
import { fromText, RecordingNode, text } from "./recording-node.js";

const { VITEST_POOL_ID = "0" } = process.env;
let nextPort = 24_000 + Number(VITEST_POOL_ID) * 50;
const running: RecordingNode[] = [];

function freePort(): Promise<number> {
  const port = nextPort++;
  return new Promise(resolve => {
    nodeNetwork.listen(
      { host: "127.0.0.1", port },
      () => undefined,
      (_, listener) => {
        if (listener === null) resolve(freePort());
        else listener.close(() => resolve(port));
      },
    );
  });
}

async function makeNode(number: number, network: Network = nodeNetwork): Promise<RecordingNode> {
  const world = { network, clock: nodeClock, endOfTurn: nodeEndOfTurn };
  const node = new RecordingNode(number, { host: "127.0.0.1", port: await freePort() }, world);
  running.push(node);
  return node;
}

/**
 * A network whose connections can all be ended at once, as the system does for a killed process.
 */
function mortal(): { network: Network; kill(): void } {
  const connections: Connection[] = [];
  const network: Network = {
    listen: (address, accepted, done) =>
      nodeNetwork.listen(
        address,
        c => {
          connections.push(c);
          accepted(c);
        },
        done,
      ),
    connect: (to, ms, done) =>
      nodeNetwork.connect(to, ms, (error, c) => {
        if (c !== null) connections.push(c);
        done(error, c);
      }),
  };
  const kill = (): void => {
    for (const connection of connections) connection.destroy();
  };
  return { network, kill };
}

const until = async (condition: () => boolean): Promise<void> => {
  await expect.poll(condition, { interval: 1, timeout: 5_000 }).toBe(true);
};

afterEach(async () => {
  for (const node of running.splice(0)) {
    await new Promise<void>(resolve => node.links.stop(resolve));
  }
});

describe("links over sockets", () => {
  test("carry messages, questions and bulk; a peer's end is seen within milliseconds", async () => {
    const doomed = mortal();
    const a = await makeNode(1);
    const b = await makeNode(2, doomed.network);
    a.start([b]);
    b.start([a]);
    await until(() => a.links.isUp(b.id) && b.links.isUp(a.id));

    for (let i = 0; i < 1_000; i++) a.links.send(b.id, a.heartbeat(b, i));
    let answer = "";
    a.links.ask(b.id, text("?".repeat(200_000)), bytes => {
      answer = bytes === null ? "null" : fromText(bytes);
    });
    const got: number[] = [];
    let taken: boolean | null = null;
    b.onBulk = (_, decide) =>
      decide(
        {
          write: (slice, next) => {
            got.push(slice.length);
            next();
          },
          finish: done => done(true),
          abort: () => undefined,
        },
        0,
      );
    a.links.openBulk(b.id, text("snapshot"), stream => {
      stream?.write(new Uint8Array(1_000_000), () =>
        stream.finish(result => {
          taken = result;
        }),
      );
    });
    await until(() => b.messages.length === 1_000 && answer !== "" && taken !== null);
    expect(b.rounds.at(-1)).toBe(999);
    expect(answer).toBe(`re: ${"?".repeat(200_000)}`);
    expect([got, taken]).toEqual([[1_000_000], true]);

    const start = performance.now();
    doomed.kill();
    await until(() => a.events.length === 2);
    expect(a.events).toEqual(["up 2", "down 2 by them"]);
    expect(performance.now() - start).toBeLessThan(100);
    await until(() => a.links.isUp(b.id) && b.links.isUp(a.id));
    expect(a.events).toEqual(["up 2", "down 2 by them", "up 2"]);
  });

  test("a refused stranger hears why", async () => {
    const a = await makeNode(1);
    const b = await makeNode(2);
    b.says = { ...b.says, clusterToken: "another" };
    a.start([b]);
    b.start([a]);
    await until(() => a.events.length > 0 && b.events.length > 0);
    expect(a.events).toEqual(["refused 2 by them: TOKEN_MISMATCH"]);
    expect(b.events).toEqual(["refused 1 by them: TOKEN_MISMATCH"]);
  });
});
