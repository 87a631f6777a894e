/** All targets, in the order in which they are run. */
import type { FuzzTarget } from "../target.js";
import { client } from "./client.js";
import { http } from "./http.js";
import { peer } from "./peer.js";
import { raftMessage } from "./raft-message.js";
import { state } from "./state.js";
import { stateSnapshot } from "./state-snapshot.js";
import { storage } from "./storage.js";
import { websocket } from "./websocket.js";

export const TARGETS: readonly FuzzTarget[] = [
  storage,
  state,
  stateSnapshot,
  raftMessage,
  peer,
  websocket,
  http,
  client,
];
