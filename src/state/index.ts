/** What other rooms may see of the state. */
export * from "./command/command.js";
export * from "./command/result.js";
export * from "./face.js";
export { EntryDetail, KvRecord, viewOf } from "./kv/record.js";
export * from "./output.js";
export { type Cause, Change } from "./watch/change.js";
