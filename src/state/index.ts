/** What other rooms may see of the state. */
export * from "./command/command.js";
export { encodeCommand, writeCommand } from "./command/encode.js";
export {
  type DecodedCommand,
  type DecodedEntry,
  decodeEntry,
  EntryBuilder,
  EntryReader,
} from "./command/entry.js";
export { ENTRY_FORMAT } from "./command/number.js";
export * from "./command/result.js";
export * from "./face.js";
export { EntryDetail, isLiveEntry, KvRecord, type LiveEntry, viewOf } from "./kv/record.js";
export { STATE_LIMITS, type StateLimits } from "./limits.js";
export type { Blame } from "./lock/ended.js";
export { lineNameOf } from "./lock/standing.js";
export { Machine } from "./machine.js";
export * from "./output.js";
export { STATE_FORMAT } from "./snapshot/format.js";
export { SnapshotLoader } from "./snapshot/loader.js";
export { type Cause, Change } from "./watch/change.js";
