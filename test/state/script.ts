/**
 * Scripts: blocks of commands, `----`, and what came of them; blocks are parted by empty lines.
 * Each command line is a log entry; lines that begin with `&` join the entry before. `~5` stands
 * for 5 in twenty digits. `REWRITE=1` records what is said in place of what was.
 *
 *   put|append|delete|txn|grant|revoke|expire|acquire|cancel|release|proclaim|configure
 * name=value …
 *   claim|finish|rule|annotate|yield|break|handover name=value …
 *   tick 5000                     an empty entry at that cluster time
 *   json {command}                any command, as it is
 *   at 5000                       cluster time from here on
 *   get|range|inspect|check|entry|lines|lease|history|oldest      reads
 *   restore                       go on with what came back from a snapshot; hashes must be equal
 *
 * A command may carry `req=client:number:low`, `session=lease` or `idem=key:fingerprint`.
 */
import type { Command, EntryEnd, RequestIdentity } from "../../src/state/index.js";
import { Driver, type Event, restored, type Step } from "./driver.js";

const NUMBERS = new Set([
  "token",
  "ttlMs",
  "prevRevision",
  "limit",
  "maxStateBytes",
  "historyRevisions",
  "historyBytes",
  "at",
  "from",
  "permits",
  "lockDelayMs",
  "maxHoldMs",
  "graceMs",
  "afterMs",
  "slot",
  "lateMs",
]);
const FLAGS = new Set(["prevExist", "prev", "wait", "keysOnly", "countOnly", "descending"]);

type Arguments = Record<string, string | number | boolean>;

const long = (text: string) => text.replace(/~(\d+)/g, (_all, n: string) => n.padStart(20, "0"));
const short = (text: string) => text.replace(/(?<!\d)0{8,}(\d+)(?!\d)/g, "~$1");

function parseArguments(words: readonly string[]): Arguments {
  const found: Arguments = {};
  for (const word of words) {
    const at = word.indexOf("=");
    const name = at < 0 ? word : word.slice(0, at);
    const value = at < 0 ? "true" : long(word.slice(at + 1));
    found[name] = NUMBERS.has(name) ? Number(value) : FLAGS.has(name) ? value === "true" : value;
  }
  return found;
}

function requestOf(args: Arguments): RequestIdentity | undefined {
  const { req, session, idem } = args;
  delete args.req;
  delete args.session;
  delete args.idem;
  if (typeof req === "string") {
    const [client = "", number = "0", low = "0"] = req.split(":");
    const lease = typeof session === "string" ? { lease: session } : {};
    return { client: client.padStart(16, "0"), number: Number(number), low: Number(low), ...lease };
  }
  if (typeof idem !== "string") return undefined;
  const [key = "", fingerprint = ""] = idem.split(":");
  return { key, fingerprint };
}

/** `heldBy=` takes a key, or `name:token`. */
function grantOf(text: string) {
  const [name = "", token] = text.split(":");
  return token === undefined ? { key: name } : { name, token: Number(token) };
}

function spanOf(args: Arguments) {
  const { key, prefix, to, from } = args;
  delete args.key;
  delete args.prefix;
  delete args.to;
  if (prefix !== undefined) return { from: String(prefix), to: `${prefix}\xff` };
  if (to === undefined) return { key: String(key) };
  delete args.from;
  return { from: String(key ?? from ?? ""), to: to === "end" ? null : String(to) };
}

function shape(verb: string, args: Arguments): unknown {
  const { heldBy, ...rest } = args;
  const guard = heldBy === undefined ? {} : { heldBy: grantOf(String(heldBy)) };
  switch (verb) {
    case "put":
      return { kind: "kv.put", value: "", ...rest, ...guard };
    case "append":
      return { kind: "kv.append", value: "", ...rest, ...guard };
    case "delete":
      return { kind: "kv.delete", span: spanOf(rest), ...rest, ...guard };
    case "grant":
      return { kind: "lease.grant", ttlMs: 10_000, ...rest };
    case "revoke":
      return { kind: "lease.revoke", ...rest };
    case "expire":
      return {
        kind: "lease.expire",
        leases: String(rest.leases).split(","),
        asOfIndex: Number(rest.asOf ?? Number.MAX_SAFE_INTEGER),
      };
    case "acquire": {
      const { own, ttlMs, names, ...others } = rest;
      const lease = own === undefined ? {} : { lease: { id: own, ttlMs: ttlMs ?? 10_000 } };
      const many = names === undefined ? null : String(names).split(",");
      const all = many === null ? {} : { name: many[0], names: many };
      return { kind: "lock.acquire", wait: true, ...others, ...all, ...lease };
    }
    case "claim": {
      const { own, ttlMs, ...others } = rest;
      const lease = own === undefined ? {} : { lease: { id: own, ttlMs: ttlMs ?? 10_000 } };
      return { kind: "slot.claim", onAbandon: "reclaim", ...others, ...lease };
    }
    case "finish": {
      const { outcome = "done", note, ...grant } = rest;
      return { kind: "slot.finish", grant, outcome, ...(note === undefined ? {} : { note }) };
    }
    case "rule":
      return { kind: "lock.configure", ...rest };
    case "annotate": {
      const { progress, ...grant } = rest;
      return { kind: "lock.annotate", grant, progress: progress ?? "" };
    }
    case "yield": {
      const { graceMs = 0, to, by, why, ...grant } = rest;
      const said = { ...(by === undefined ? {} : { by }), ...(why === undefined ? {} : { why }) };
      return { kind: "lock.yield", grant, graceMs, ...(to === undefined ? {} : { to }), ...said };
    }
    case "break": {
      const { by, why, afterMs, ...grant } = rest;
      const said = { ...(by === undefined ? {} : { by }), ...(why === undefined ? {} : { why }) };
      const after = afterMs === undefined ? {} : { afterMs };
      return { kind: "lock.break", grant, ...after, ...said };
    }
    case "handover": {
      const { to, ...grant } = rest;
      return { kind: "lock.handOver", grant, to: to ?? "" };
    }
    case "cancel":
      return { kind: "lock.cancel", ...rest };
    case "release":
      return { kind: "lock.release", grant: rest };
    case "proclaim": {
      const { value, ...grant } = rest;
      return { kind: "election.proclaim", grant, value: value ?? "" };
    }
    case "configure":
      return { kind: "system.configure", ...rest };
    default:
      throw new Error(`no such verb: ${verb}`);
  }
}

function toStep(line: string): Step {
  const [verb = "", ...words] = line.split(/\s+/);
  if (verb === "json") return { command: JSON.parse(long(line.slice(5))) as Command };
  const args = parseArguments(words);
  const request = requestOf(args);
  const command = shape(verb, args) as Command;
  return request === undefined ? { command } : { command, request };
}

function tell(event: Event): string {
  switch (event.event) {
    case "answer":
      return `= ${plain(event.result)}`;
    case "wrote": {
      const { revision, sub, cause, key, record } = event.change;
      const what = record === null ? "" : ` ${JSON.stringify(record.value)}`;
      const lease = record === null || record.lease === "" ? "" : ` lease=${record.lease}`;
      return `  ${revision}.${sub} ${cause} ${key}${what}${lease}`;
    }
    case "leaseGranted":
      return `  lease ${event.lease.id} granted`;
    case "leaseEnded":
      return `  lease ${event.lease.id} ended: ${event.reason}`;
    case "granted":
      return `  granted ${event.grant.key} token=${event.grant.token} waitedMs=${event.grant.waitedMs}`;
    case "grantEnded":
      return `  grant ended ${event.end.key}: ${event.end.reason}${blamed(event.end)}`;
    case "waitEnded":
      return `  wait ended ${event.end.key}: ${event.end.reason}`;
    case "yieldAsked":
      return `  asked ${plain(event.ask)}`;
    case "moved":
      return `  moved ${event.move.key} to ${event.move.newKey}`;
  }
}

const blamed = ({ blame }: EntryEnd): string =>
  blame === undefined ? "" : ` by ${blame.by}: ${blame.why}`;

/** Like JSON, without the quotes that carry nothing. */
function plain(value: unknown): string {
  return JSON.stringify(value).replace(/"([A-Za-z]\w*)":/g, "$1:");
}

function read(driver: Driver, line: string): string | null {
  const [verb = "", ...words] = line.split(/\s+/);
  const { machine } = driver;
  const args = parseArguments(words);
  switch (verb) {
    case "at":
      driver.nowMs = Number(words[0]);
      return "";
    case "tick":
      driver.nowMs = Number(words[0]);
      return driver.apply().map(tell).join("\n");
    case "get":
      return plain(machine.get(String(args.key), args.at as number | undefined));
    case "range": {
      const { at, ...rest } = args;
      const span = spanOf(rest);
      return plain(
        machine.range({ span, ...rest, ...(at === undefined ? {} : { revision: Number(at) }) }),
      );
    }
    case "inspect":
      return plain(machine.inspect(String(args.name), 10));
    case "check":
      return plain(machine.check(args as never));
    case "entry":
      return plain(machine.entry(String(args.key)));
    case "lines":
      return plain(machine.lines(String(args.prefix ?? ""), "", 10));
    case "lease":
      return plain({
        lease: machine.lease(String(args.lease)) ?? null,
        ended: machine.endedLease(String(args.lease)) ?? null,
        keys: machine.leaseKeys(String(args.lease), 10),
      });
    case "oldest":
      return String(machine.oldestRevision);
    case "history": {
      const cursor = machine.history(Number(args.from), "", null);
      if ("kind" in cursor) return plain(cursor);
      const changes = cursor.next(1_000);
      if ("kind" in changes) return plain(changes);
      return changes.map(change => tell({ event: "wrote", change })).join("\n");
    }
    case "restore": {
      const again = restored(machine, 37);
      const same = again.hash() === machine.hash();
      driver.machine = again;
      return same ? "the same" : "ANOTHER STATE";
    }
    default:
      return null;
  }
}

function runBlock(driver: Driver, lines: readonly string[]): string {
  const said: string[] = [];
  let pending: Step[] = [];
  const flush = () => {
    if (pending.length === 0) return;
    said.push(...driver.apply(...pending).map(tell));
    pending = [];
  };
  for (const line of lines) {
    if (line.startsWith("#")) continue;
    if (line.startsWith("& ")) {
      pending.push(toStep(line.slice(2)));
      continue;
    }
    flush();
    const answer = read(driver, line);
    if (answer === null) pending.push(toStep(line));
    else if (answer !== "") said.push(answer);
  }
  flush();
  return short(said.join("\n"));
}

/** Runs a script's text; what it would be with what was really said. */
export function runScript(text: string): string {
  const blocks = text.trim().split(/\n\s*\n/);
  const driver = new Driver({ minTtlMs: 1 });
  const out = blocks.map(block => {
    const [input = ""] = block.split("\n----");
    const lines = input.split("\n");
    const commands = lines.filter(line => !line.startsWith("#") && line.trim() !== "");
    if (commands.length === 0) return block;
    const said = runBlock(driver, commands);
    return said === "" ? input : `${input}\n----\n${said}`;
  });
  return `${out.join("\n\n")}\n`;
}
