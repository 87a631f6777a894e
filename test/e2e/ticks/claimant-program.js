/**
 * A process of replicas, each with a client of its own, that claim the runs of jobs as they come
 * due, work on them and say how they ended. A run that somebody else has is asked for again until
 * it is said to be over, and once after that. Lines in a file say what was granted and what became
 * of it, so that a killed process leaves what it had. Told to hold, every replica keeps what it is
 * granted next. Started by claimants.ts; plain JavaScript since it runs without a build.
 */
import { openSync, writeSync } from "node:fs";
import { setTimeout as pauseMs } from "node:timers/promises";
import { connect, LockLostError } from "holdfast-client";

const { endpoints, file, name, replicas, onAbandonOf, workMs, options } = JSON.parse(
  process.argv[2],
);
const AGAIN_AFTER_MS = 150;
const nowMs = () => Number(process.hrtime.bigint() / 1000n) / 1000;
const out = openSync(file, "a");
const write = line => writeSync(out, `${JSON.stringify(line)}\n`);
const below = bound => Math.floor(Math.random() * bound);

/** By job: the runs that are due, and not known here to be over. */
const due = new Map(Object.keys(onAbandonOf).map(job => [job, []]));
const over = new Set();
const holding = {};
let isHolding = false;
/** Replicas that will end what they have, though others hold from now on. */
let ending = 0;
let stopping = false;
let refusedAfterOver = 0;
let next = 0;
let wake = () => {};
let woken = new Promise(resolve => {
  wake = resolve;
});

const idOf = ({ job, slot }) => `${job} ${slot}`;
/** Every other replica looks for another job first. */
function takeDue(at) {
  const jobs = [...due.keys()];
  for (let i = 0; i < jobs.length; i++) {
    const slots = due.get(jobs[(at + i) % jobs.length]);
    if (slots.length > 0) return slots.shift();
  }
  return undefined;
}
const putBack = run => due.get(run.job).push(run);

/** Up to when the claim is certainly held: read in this order, a pause between makes it less. */
function prove(claim, id) {
  const atMs = nowMs();
  const { remainingMs } = claim;
  if (remainingMs > 0) write({ id, heldUntilMs: atMs + remainingMs });
}

async function work(client, run, claim, id) {
  prove(claim, id);
  const key = `work/${run.job}/${run.slot}`;
  const { revision } = await client.kv.put(key, claim.key, { heldBy: claim });
  write({ id, workRevision: revision });
  if (isHolding) {
    holding[run.job] = (holding[run.job] ?? 0) + 1;
    await new Promise(() => {});
  }
  ending += 1;
  try {
    await pauseMs(below(workMs));
    await end(run, claim, id);
  } finally {
    ending -= 1;
  }
}

/** Most runs are done, some have failed, and some are left without a word. */
async function end(run, claim, id) {
  prove(claim, id);
  const how = ["done", "done", "done", "done", "done", "done", "done", "failed", "left"][below(9)];
  write({ id, ending: how, endingMs: nowMs() });
  if (how === "done") await claim.done(`${claim.token}`);
  else if (how === "failed") await claim.fail(`${claim.token}`);
  else if (!(await claim.release()).heldToTheEnd) throw claim.signal.reason;
  write({ id, ended: how });
  if (how !== "left" || onAbandonOf[run.job] === "close") process.send({ run, became: "over" });
}

async function attempt(client, who, run) {
  const wasOver = over.has(idOf(run));
  const { job, slot } = run;
  const schedule = client.schedule(job, { onAbandon: onAbandonOf[job] });
  const claim = await schedule.claim(slot);
  if (claim === null && wasOver) {
    refusedAfterOver += 1;
    return;
  }
  if (claim === null) {
    putBack(run);
    await pauseMs(AGAIN_AFTER_MS);
    return;
  }
  if (wasOver) process.send({ run, became: "granted again" });
  const id = `${name}/${next++}`;
  const { key, token } = claim;
  write({ id, who, job, slot, key, token, grantedMs: nowMs() });
  await work(client, run, claim, id).catch(error => {
    const isLost = error instanceof LockLostError || error?.code === "NOT_HELD";
    write({ id, trouble: `${isLost ? "lost" : error?.code}: ${error?.message ?? error}` });
  });
  putBack(run);
}

async function replica(at) {
  const who = `${name}.${at}`;
  const turned = endpoints.map((_, i) => endpoints[(i + at) % endpoints.length]);
  const client = connect(turned, { ...options, owner: who });
  while (!stopping) {
    const run = takeDue(at);
    if (run === undefined) {
      await woken;
      continue;
    }
    await attempt(client, who, run).catch(error => {
      write({ ...run, unclear: `${who}: ${error?.code ?? ""} ${error?.stack ?? error}` });
      putBack(run);
    });
  }
  await client.close();
}

function hear(told) {
  for (const run of told.due ?? []) putBack(run);
  for (const run of told.over ?? []) over.add(idOf(run));
  if (told.hold) isHolding = true;
  if (told.stop) stopping = true;
  wake();
  woken = new Promise(resolve => {
    wake = resolve;
  });
}

process.on("message", hear);
process.on("disconnect", () => process.exit());
const said = () => ({ holding, isHolding, ending, refusedAfterOver });
const told50Ms = setInterval(() => process.send(said()), 50);
await Promise.all(Array.from({ length: replicas }, (_, at) => replica(at)));
clearInterval(told50Ms);
process.send(said(), () => process.disconnect());
