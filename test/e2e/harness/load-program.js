/**
 * A process of clients that do one thing after the other on few registers, locks and elections, and
 * write down what they asked and what was answered: a line before each call and one after it, in a
 * file, so that a killed process leaves what it had begun (history.ts puts the two together). Times
 * are of the machine's monotonic clock, which all processes share. Started by load.ts; plain
 * JavaScript since it runs without a build.
 */
import { openSync, writeSync } from "node:fs";
import { connect, HoldfastError, LockLostError, WaitTimeoutError } from "holdfast-client";

const { endpoints, file, name, workers, registers, locks, elections, options } = JSON.parse(
  process.argv[2],
);
const nowMs = () => Number(process.hrtime.bigint() / 1000n) / 1000;
const out = openSync(file, "a");
const write = line => writeSync(out, `${JSON.stringify(line)}\n`);
const client = connect(endpoints, { ...options, owner: name });
let stopping = false;
let turns = 0;
let next = 0;

const below = bound => Math.floor(Math.random() * bound);

/** Calls, and writes down both ends of it; undefined when there is no answer to go on with. */
async function ask(who, op, call, resultOf) {
  const id = `${name}/${next++}`;
  const beganMs = nowMs();
  write({ id, process: who, call: beganMs, op });
  let result;
  let answer;
  try {
    answer = await call(id);
    result = resultOf(answer);
  } catch (error) {
    result = told(error, op);
  }
  const endMs = nowMs();
  write({ id, return: endMs, result });
  if (op.mayExpire && endMs - beganMs > options.ttlMs) earlier(id, who, op, beganMs);
  return answer;
}

/**
 * A session that loses its lease stands in line anew within the same call. So one that took longer
 * than a lease lasts may have been granted before, unseen by anybody here.
 */
function earlier(id, who, op, callMs) {
  write({ id: `${id}/earlier`, process: `${who}/earlier`, call: callMs, op });
}

/** What an error says of the call; a condition that did not hold is an answer. */
function told(error, op) {
  if (!(error instanceof HoldfastError)) {
    write({ note: `${name}: ${error?.stack ?? error}` });
    return "unknown";
  }
  if (op.kind === "cas" && error.code === "CONDITION_FAILED") return { swapped: false };
  if (!(error instanceof WaitTimeoutError)) write({ note: `${name}: ${op.kind}: ${error.code}` });
  // A wait that went with its lease may have come to its grant before, which nobody here has seen.
  const isOver = error.code === "LEASE_ENDED" || error.code === "NOT_HELD";
  if (isOver && op.mayExpire) return "unknown";
  return error.outcome === "not-applied" ? "failed" : "unknown";
}

/** Until when the grant is certainly held: read in this order, a pause between makes it less. */
function holds(id, held) {
  const atMs = nowMs();
  const { remainingMs } = held;
  if (remainingMs > 0) write({ id, heldUntil: atMs + remainingMs });
}

const withRevision = (entry, value) =>
  entry === null ? { value: null } : { value, revision: entry.modRevision };

async function register(who, key) {
  const get = () =>
    ask(
      who,
      { kind: "get", key },
      () => client.kv.get(key),
      entry => withRevision(entry, entry?.value ?? null),
    );
  const value = `${who}:${next}`;
  const what = below(4);
  if (what < 2) await get();
  else if (what === 2) {
    const op = { kind: "put", key, value };
    await ask(
      who,
      op,
      () => client.kv.put(key, value),
      ({ revision }) => ({ revision }),
    );
  } else {
    const seen = await get();
    if (seen === undefined) return;
    const guard = { ifRevision: seen?.modRevision ?? "absent" };
    const op = { kind: "cas", key, expect: seen?.value ?? null, value };
    await ask(
      who,
      op,
      () => client.kv.put(key, value, guard),
      ({ revision }) => ({ swapped: true, revision }),
    );
  }
}

/** Acquires, does something else meanwhile, and gives it up; now and then it only tries. */
async function lock(who, key) {
  const op = { kind: "acquire", key, holder: who, mayExpire: true };
  let grantId;
  const held = await ask(
    who,
    op,
    id => {
      grantId = id;
      return below(3) === 0
        ? client.lock(key).tryAcquire()
        : client.lock(key).acquire({ waitMs: 3_000 });
    },
    grant => (grant === null ? { refused: true } : { token: grant.token }),
  );
  if (held) await use(who, key, grantId, held, "release");
}

async function election(who, key) {
  if (below(2) === 0) {
    await ask(who, { kind: "leader", key }, () => client.election(key).leader(), leaderOf);
    return;
  }
  const op = { kind: "lead", key, candidate: who, value: who, mayExpire: true };
  let grantId;
  const held = await ask(
    who,
    op,
    id => {
      grantId = id;
      return client.election(key).campaign(who, { waitMs: 3_000 });
    },
    ({ token }) => ({ token }),
  );
  if (held) await use(who, key, grantId, held, "resign");
}

const leaderOf = leader =>
  leader === null
    ? { candidate: null }
    : { candidate: leader.value, value: leader.value, token: leader.token };

async function use(who, key, grantId, held, kind) {
  holds(grantId, held);
  await register(who, registers[below(registers.length)]);
  holds(grantId, held);
  const op = { kind, key, token: held.token };
  const done = kind === "release" ? "released" : "resigned";
  await ask(
    who,
    op,
    () => held.release(),
    // What could not be proven may stand at the cluster for a while yet.
    ({ heldToTheEnd }) => (!heldToTheEnd && isDoubted(held) ? "unknown" : { [done]: heldToTheEnd }),
  );
}

const isDoubted = ({ signal: { reason } }) =>
  reason instanceof LockLostError && reason.reason === "unproven";

async function work(who) {
  while (!stopping) {
    const what = below(4);
    if (what < 2) await register(who, registers[below(registers.length)]);
    else if (what === 2) await lock(who, locks[below(locks.length)]);
    else await election(who, elections[below(elections.length)]);
    turns += 1;
  }
}

process.on("message", () => {
  stopping = true;
});
process.on("disconnect", () => process.exit());
const told100Ms = setInterval(() => process.send({ turns }), 100);
await Promise.all(Array.from({ length: workers }, (_, i) => work(`${name}.${i}`)));
clearInterval(told100Ms);
await client.close();
process.send({ turns }, () => process.disconnect());
