/** Watching the keyspace: an answer when it stands, then pushed events until it is cancelled. */
import Type from "typebox";
import { bytes, count, flag, Key, Prefix, Revision, record } from "./fields.js";

export const WatchStartParams = record({
  key: Type.Optional(Key),
  rangeEnd: Type.Optional(bytes("With `key`: up to and without this one.")),
  prefix: Type.Optional(Prefix),
  from: Type.Optional(count("The first revision wanted, inclusive; 0 or absent: from now on.")),
  prev: Type.Optional(
    flag(
      "Tell the record as it was before each change; of one revision the first 4 MiB of values.",
    ),
  ),
  keysOnly: Type.Optional(flag("Leave the values out.")),
  kinds: Type.Optional(
    Type.Array(Type.Union([Type.Literal("put"), Type.Literal("delete")]), {
      minItems: 1,
      maxItems: 2,
      description: "Only these kinds of change.",
    }),
  ),
});
export const WatchStartResult = record({
  revision: Revision,
});
