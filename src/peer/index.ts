/** Links between nodes. Used by src/log; the real ports come from src/server. */
export type { BulkOpened } from "./bulk-sender.js";
export * from "./contract.js";
export type { JoiningOwner } from "./join.js";
export { PeerLinks, type PeerLinksOptions } from "./links.js";
