/** What storage, peers and log know of Raft: the data it persists and sends, and its bytes. */
export { DecodeError } from "../../base/codec.js";
export { decodeMessage, encodeMessage } from "./codec.js";
export { decodeConfiguration, encodeConfiguration } from "./configuration.js";
export * from "./entry.js";
export type * from "./message.js";
