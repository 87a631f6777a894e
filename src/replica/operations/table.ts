/** Every operation of the protocol, and how it is served here. */
import type { OperationName } from "holdfast-protocol";
import { acquire, campaign } from "../lines/acquire.js";
import { breakGrant } from "../lines/break.js";
import { statusOf } from "../status.js";
import { startObserving } from "../watch/observer.js";
import { startWatching } from "../watch/watcher.js";
import type { Handler } from "./call.js";
import * as cluster from "./cluster.js";
import * as election from "./election.js";
import * as kv from "./kv.js";
import * as lease from "./lease.js";
import * as lock from "./lock.js";
import * as slot from "./slot.js";
import { txn } from "./txn.js";

export type Handlers = { readonly [Name in OperationName]: Handler<Name> };

/** Answered from what the node knows of itself, also before it has read its data. */
export const SERVED_WHILE_STARTING: ReadonlySet<OperationName> = new Set([
  "cluster.status",
  "cluster.members",
]);

export const HANDLERS: Handlers = {
  "kv.put": kv.put,
  "kv.append": kv.append,
  "kv.get": kv.get,
  "kv.range": kv.range,
  "kv.delete": kv.remove,
  "kv.txn": txn,
  "watch.start": startWatching,
  "lease.grant": lease.grant,
  "lease.keepalive": lease.keepAlive,
  "lease.revoke": lease.revoke,
  "lease.get": lease.get,
  "lease.list": lease.list,
  "lock.acquire": acquire,
  "lock.release": lock.release,
  "lock.check": lock.check,
  "lock.inspect": lock.inspect,
  "lock.list": lock.list,
  "lock.annotate": lock.annotate,
  "lock.yield": lock.askToYield,
  "lock.break": breakGrant,
  "lock.configure": lock.configure,
  "slot.claim": slot.claim,
  "slot.finish": slot.finish,
  "election.campaign": campaign,
  "election.proclaim": election.proclaim,
  "election.resign": election.resign,
  "election.leader": election.leader,
  "election.observe": startObserving,
  "cluster.status": cluster.statusHandler(statusOf),
  "cluster.members": cluster.members,
  "cluster.add": cluster.add,
  "cluster.promote": cluster.promote,
  "cluster.remove": cluster.remove,
  "cluster.transfer": cluster.transfer,
};
