/**
 * A process of many sessions over one connection. Each takes turns without end: asks for one of its
 * place's locks, whatever kind they are, writes something under the grant, holds it for a while,
 * and gives it up; a line in a file says of each turn what was asked and told. Times are of the
 * machine's monotonic clock, which all processes share. Started by crowd.ts; plain JavaScript since
 * it runs without a build.
 */
import { openSync, writeSync } from "node:fs";
import { setTimeout as pauseMs } from "node:timers/promises";
import { connect } from "holdfast-client";

const { endpoints, file, name, sessions, places, holdMs, options } = JSON.parse(process.argv[2]);
const nowMs = () => Number(process.hrtime.bigint() / 1000n) / 1000;
const out = openSync(file, "a");
const write = line => writeSync(out, `${JSON.stringify(line)}\n`);
const client = connect(endpoints, { ...options, owner: name });
const turns = Array.from({ length: sessions }, () => 0);
let stopping = false;

const below = bound => Math.floor(Math.random() * bound);
const drawn = list => list[below(list.length)];

/** One to three, none twice. */
function someOf(names) {
  const left = [...names];
  return Array.from({ length: 1 + below(3) }, () => left.splice(below(left.length), 1)[0]);
}

/** What is asked for at a place, and how it is asked. */
function wish(session, who, place) {
  const { kind, permits } = place;
  if (kind === "several") {
    const names = someOf(place.names);
    return { kind: "exclusive", names, ask: () => session.lock(names).acquire() };
  }
  const key = drawn(place.names);
  const names = [key];
  if (kind === "leader") return { kind, names, ask: () => session.election(key).campaign(who) };
  if (kind === "permit")
    return { kind, names, permits, ask: () => session.semaphore(key, { permits }).acquire() };
  if (kind === "exclusive") return { kind, names, ask: () => session.lock(key).acquire() };
  const mode = below(4) === 0 ? "exclusive" : "shared";
  return { kind: mode, names, ask: () => session.lock(key, { mode }).acquire() };
}

/** Up to when the grant is certainly held: read in this order, a pause between makes it less. */
function certainUntilMs(held) {
  const atMs = nowMs();
  const { remainingMs } = held;
  return remainingMs > 0 ? atMs + remainingMs : 0;
}

async function leaderOf(election) {
  const callMs = nowMs();
  const leader = await client.election(election).leader();
  const told =
    leader === null ? { candidate: null } : { candidate: leader.value, token: leader.token };
  return { callMs, returnMs: nowMs(), ...told };
}

async function turn(session, who, place) {
  const { ask, ...wanted } = wish(session, who, place);
  const saw = wanted.kind === "leader" ? { saw: await leaderOf(wanted.names[0]) } : {};
  const askedMs = nowMs();
  const held = await ask();
  const grantedMs = nowMs();
  const grant = { key: held.key, token: held.token, askedMs, grantedMs };
  const first = certainUntilMs(held);
  const work = await client.kv.put(`work/${who}`, held.key, { heldBy: held });
  await pauseMs(below(holdMs));
  const heldUntilMs = Math.max(first, certainUntilMs(held));
  const releaseMs = nowMs();
  const { heldToTheEnd } = await held.release();
  const end = { heldUntilMs, releaseMs, releasedMs: nowMs(), heldToTheEnd };
  write({ who, ...wanted, ...saw, ...grant, workRevision: work.revision, ...end });
}

async function takeTurns(at) {
  const who = `${name}.${at}`;
  const place = places[at % places.length];
  let session = client.session();
  while (!stopping) {
    try {
      await turn(session, who, place);
      turns[at] += 1;
    } catch (error) {
      write({ failed: `${who}: ${error?.code ?? ""} ${error?.stack ?? error}` });
      await session.close();
      session = client.session();
    }
  }
  await session.close();
}

process.on("message", () => {
  stopping = true;
});
process.on("disconnect", () => process.exit());
const told100Ms = setInterval(() => process.send({ turns }), 100);
await Promise.all(turns.map((_, at) => takeTurns(at)));
clearInterval(told100Ms);
await client.close();
process.send({ turns }, () => process.disconnect());
