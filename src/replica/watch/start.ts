/** What the beginnings of both kinds of streams share: limits, the read point, giving up. */
import type { Failure } from "../coordinator/index.js";
import { linearizable, type PendingCall } from "../operations/call.js";
import type { Follower } from "./follower.js";

/** Both kinds of streams are answered alike. */
type StreamCall = Pick<
  PendingCall<"watch.start">,
  "core" | "connection" | "fail" | "succeed" | "onCancel"
>;

/** Why no further stream is taken; null: one is. */
function full(call: StreamCall): Failure | null {
  const { limits } = call.core.parts;
  const perConnection = call.connection.watches >= limits.maxWatchersPerConnection;
  if (!perConnection && call.core.watches.size < limits.maxWatchers) return null;
  const limit = perConnection ? limits.maxWatchersPerConnection : limits.maxWatchers;
  const whose = perConnection ? "this connection" : "this node";
  const message = `${whose} has ${limit} watches and may have no more; cancel one first`;
  return { code: "TOO_MANY_WATCHES", message, details: { limit } };
}

/**
 * Makes the follower at a linearizable point, or at once when it begins in a past that is here
 * already. `make` gets the revision to begin at.
 */
export function startStream(
  call: StreamCall,
  from: number,
  make: (nextRevision: number) => Follower,
): void {
  let cancelled = false;
  call.onCancel = () => {
    cancelled = true;
  };
  const begin = (): void => {
    if (call.connection.closed) return;
    if (cancelled) {
      call.fail({ code: "CANCELLED", message: "the stream was given up before it stood" });
      return;
    }
    begun(call, from, make);
  };
  if (from > 0 && from <= call.core.machine.revision) begin();
  else linearizable(call, begin);
}

function begun(call: StreamCall, from: number, make: (nextRevision: number) => Follower): void {
  const refused = full(call);
  if (refused !== null) {
    call.fail(refused);
    return;
  }
  const { revision } = call.core.machine;
  const follower = make(from > 0 ? from : revision + 1);
  call.onCancel = () => follower.end(null);
  // The answer is posted first, since the first events may follow within `add`.
  const failure = call.core.watches.check(follower);
  if (failure !== null) call.fail(failure);
  else {
    call.succeed({ revision });
    call.core.watches.add(follower);
  }
}
