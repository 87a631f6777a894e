/**
 * The bugs that the simulator must find: each a mistake that was made somewhere in this field, or
 * could be made here by one wrong line. A new room of the product brings a list of its own.
 */
import type { Bug } from "./bug.js";
import { CLIENT } from "./client.js";
import { LINES } from "./lines.js";
import { MEMBERSHIP } from "./membership.js";
import { RAFT } from "./raft.js";
import { REPLICA } from "./replica.js";
import { STATE } from "./state.js";
import { STORAGE } from "./storage.js";

export const BUGS: readonly Bug[] = [
  ...RAFT,
  ...MEMBERSHIP,
  ...STORAGE,
  ...REPLICA,
  ...STATE,
  ...LINES,
  ...CLIENT,
];
