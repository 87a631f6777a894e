import { describe, expect, test } from "vitest";
import { asTyped, startLine } from "../../src/cli/commands/start-line.js";
import { serveCommand } from "../../src/server/flags.js";

const member = (name: string, ...peerUrls: string[]) =>
  ({ id: "1", name, role: "voter", peerUrls, clientUrls: [] }) as const;

describe("the command that starts a new member", () => {
  const far = member("n2", "http://10.0.0.2:2380", "http://10.1.0.2:2380");
  const near = member("n1", "http://127.0.0.1:2380");

  test("has flags that a node knows, and every member with each of its peer URLs", () => {
    const words = startLine([far, near], far, ["http://10.0.0.2:2379"]);
    expect(asTyped(words)).toBe(
      "holdfast serve --name n2 --initial-cluster-state existing --initial-cluster " +
        "n1=http://127.0.0.1:2380,n2=http://10.0.0.2:2380,n2=http://10.1.0.2:2380 " +
        "--listen-peer-urls http://10.0.0.2:2380,http://10.1.0.2:2380 " +
        "--listen-client-urls http://10.0.0.2:2379 --insecure",
    );
    const known = serveCommand(() => {}).options.map(({ long }) => long);
    const flags = words.filter(word => word.startsWith("--"));
    expect(flags.filter(flag => !known.includes(flag))).toEqual([]);
  });

  test("guesses the clients' port where it is not told, and needs nothing insecure on loopback", () => {
    expect(startLine([near], near, []).slice(-2)).toEqual([
      "--listen-client-urls",
      "http://127.0.0.1:2379",
    ]);
    const six = member("n6", "http://[::1]:2380");
    expect(startLine([six], six, []).at(-1)).toBe("http://[::1]:2379");
    const open = member("n7", "http://[fd00::7]:2380");
    expect(asTyped(startLine([open], open, []))).toMatch(
      /--listen-client-urls 'http:\/\/\[fd00::7\]:2379' --insecure$/,
    );
  });
});
