/**
 * One stream over the keyspace's changes: where it stands and what it is interested in. The hub
 * feeds it, in order and each change once, whether from live writes or from the history. What is
 * told of the changes is up to the kinds of it: watcher.ts, observer.ts.
 */
import type { EndEvent, PushedEvent } from "holdfast-protocol";
import type { Change, HistoryCursor } from "../../state/index.js";
import type { ClientConnection } from "../connection.js";
import type { Failure } from "../coordinator/index.js";
import type { Dependent } from "../dependents.js";
import type { WatchHub } from "./hub.js";

/** `to` null: to the end of the keyspace. */
export type Interest =
  | { readonly kind: "key"; readonly key: string }
  | { readonly kind: "prefix"; readonly prefix: string }
  | { readonly kind: "range"; readonly from: string; readonly to: string | null };

export abstract class Follower implements Dependent {
  readonly hub: WatchHub;
  readonly connection: ClientConnection;
  readonly interest: Interest;
  /** By which events name it. */
  readonly id: number;
  /** Unique among this node's followers; given by the hub. */
  number = 0;
  /** Nothing before this revision is to be told (any more). Exact unless live and quiet. */
  nextRevision: number;
  live = false;
  /** It stands among those that are behind and wait for their next slice. */
  queued = false;
  cursor: HistoryCursor | null = null;
  /** Live changes of this turn. */
  pending: Change[] = [];
  toldAtMs = 0;
  /** Whether a grant concerns it that no change of a key comes with. */
  followsGrants = false;
  /** There was one in this turn. */
  stirred = false;
  ended = false;
  before: Dependent | null = null;
  after: Dependent | null = null;

  constructor(
    hub: WatchHub,
    connection: ClientConnection,
    interest: Interest,
    id: number,
    nextRevision: number,
  ) {
    this.hub = hub;
    this.connection = connection;
    this.interest = interest;
    this.id = id;
    this.nextRevision = nextRevision;
  }

  /** Whole revisions, in order. */
  abstract changed(changes: readonly Change[]): void;
  /** Everything that was applied has been told to `changed`. */
  abstract caughtUp(revision: number): void;
  /** Nothing of interest happened up to and including `revision`. */
  abstract quiet(revision: number): void;

  push(event: PushedEvent): void {
    this.connection.push(event);
  }

  /** The last word. */
  end(failure: Failure | null): void {
    if (this.ended) return;
    this.hub.remove(this);
    const event: EndEvent = { event: "end", id: this.id };
    this.push(failure === null ? event : { ...event, error: failure });
  }

  connectionClosed(): void {
    this.hub.remove(this);
  }

  resumed(): void {
    this.hub.resume(this);
  }
}
