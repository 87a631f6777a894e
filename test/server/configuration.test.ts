import { describe, expect, test } from "vitest";
import { ConfigurationError, configurationFrom } from "../../src/server/configuration.js";

const three = "n1=http://127.0.0.1:2380,n2=http://127.0.0.1:22380,n3=http://127.0.0.1:32380";

function refusal(flags: Parameters<typeof configurationFrom>[0]): string {
  try {
    configurationFrom(flags);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return "accepted";
}

describe("configuration", () => {
  test("no flags make a durable single node on loopback", () => {
    const configuration = configurationFrom({});
    expect(configuration.dataDirectory).toBe("default.holdfast");
    expect(configuration.listenClient.map(e => e.url)).toEqual(["http://127.0.0.1:2379"]);
    expect(configuration.initialCluster).toEqual([
      { name: "default", peerUrls: ["http://127.0.0.1:2380"] },
    ]);
  });

  test("the members of a cluster come out in one order, however they are written", () => {
    const reversed = three.split(",").reverse().join(",");
    const flags = { name: "n1", listenPeerUrls: "http://127.0.0.1:2380" };
    expect(configurationFrom({ ...flags, initialCluster: reversed }).initialCluster).toEqual(
      configurationFrom({ ...flags, initialCluster: three }).initialCluster,
    );
  });

  test("how much log lies between two snapshots can be chosen", () => {
    expect(configurationFrom({}).snapshotAfterBytes).toBe(64 * 1024 * 1024);
    expect(configurationFrom({ snapshotAfterBytes: "65536" }).snapshotAfterBytes).toBe(65_536);
  });

  test("listening beyond loopback is refused, and --insecure allows it", () => {
    const flags = { listenClientUrls: "http://0.0.0.0:2379" };
    expect(refusal(flags)).toMatch(/^--listen-client-urls: .*--insecure/);
    expect(refusal({ ...flags, insecure: true })).toBe("accepted");
    // As its variable has it.
    for (const insecure of ["true", "1", "TRUE"])
      expect(refusal({ ...flags, insecure })).toBe("accepted");
    for (const insecure of ["false", "0", ""])
      expect(refusal({ ...flags, insecure })).toMatch(/^--listen-client-urls/);
    expect(refusal({ ...flags, insecure: "no" })).toMatch(/^--insecure: "no" is neither/);
    expect(refusal({ listenPeerUrls: "http://192.0.2.1:2380" })).toMatch(/^--listen-peer-urls/);
  });

  test.each([
    [{ listenClientUrls: "127.0.0.1:2379" }, /^--listen-client-urls: .*http:\/\//],
    [{ listenClientUrls: "" }, /^--listen-client-urls: is empty/],
    [{ listenClientUrls: "https://127.0.0.1:2379" }, /TLS is not offered yet/],
    [{ listenPeerUrls: "http://127.0.0.1/" }, /needs a port, like http:\/\/127.0.0.1:2379$/],
    [{ listenPeerUrls: "http://127.0.0.1:2380/x" }, /a host and a port only/],
    [{ name: "a b" }, /^--name/],
    [{ logLevel: "loud" }, /^--log-level: "loud" must be one of/],
    [{ snapshotAfterBytes: "64k" }, /^--snapshot-after-bytes: "64k" must be a whole number/],
    [{ snapshotAfterBytes: "65535" }, /from 65536 to 17179869184/],
    [{ initialClusterState: "old" }, /^--initial-cluster-state/],
    [{ name: "n4", initialCluster: three }, /names n1, n2, n3, but this member is --name n4/],
    [{ name: "n2", initialCluster: three }, /gives n2 the URL http:\/\/127.0.0.1:22380, but/],
    [{ name: "n1", initialCluster: "n1=http://127.0.0.1:0" }, /needs a port/],
    [{ name: "n1", initialCluster: `${three},n4=http://127.0.0.1:2380` }, /named twice/],
  ])("%o is refused by the name of its flag", (flags, message) => {
    expect(refusal(flags)).toMatch(message);
  });
});
