/** Elections: lines whose head's value is the leader's word. Campaigns wait (lines/acquire.ts). */
import { leaderOf } from "../views.js";
import { reading, writing } from "./call.js";
import { releaseCommand, releasedResult } from "./lock.js";

export const proclaim = writing<"election.proclaim">(
  ({ value, ...grant }) => ({ kind: "election.proclaim", grant, value }),
  result => (result.kind === "proclaimed" ? { revision: result.revision } : null),
);

export const resign = writing<"election.resign">(releaseCommand, result =>
  result.kind === "released" ? releasedResult(result) : null,
);

export const leader = reading<"election.leader">(({ core }, { name }) => {
  const { machine } = core;
  const head = machine.head(name);
  if (head === undefined) return { revision: machine.revision };
  return { leader: leaderOf(name, head, core.clusterNowMs()), revision: machine.revision };
});
