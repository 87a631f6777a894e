/** The operations on the keyspace, but transactions. */
import Type from "typebox";
import { LIMITS } from "../limits.js";
import {
  bytes,
  Consistency,
  count,
  flag,
  HeldBy,
  Key,
  KeyRecord,
  Lease,
  ListedRecord,
  Prefix,
  Revision,
  record,
  Value,
} from "./fields.js";

const conditions = {
  prevExist: Type.Optional(flag("true: only if the key exists; false: only if it does not.")),
  prevRevision: Type.Optional(
    count("Only if the key's modRevision is this; 0: only if it does not exist."),
  ),
  prevValue: Type.Optional(bytes("Only if the key's value is this.", LIMITS.valueBytes)),
  heldBy: Type.Optional(HeldBy),
};

export const KvPutParams = record({
  key: Key,
  value: Value,
  lease: Type.Optional(Lease),
  ...conditions,
  prev: Type.Optional(flag("Answer with the record as it was before.")),
});
export const KvPutResult = record({
  key: Key,
  revision: Revision,
  created: flag("Whether the key did not exist before."),
  prev: Type.Optional(KeyRecord),
});

export const KvAppendParams = record({
  prefix: bytes(
    "The new key is this, a slash, and its create revision in 20 digits.",
    LIMITS.nameBytes,
  ),
  value: Value,
  lease: Type.Optional(Lease),
  heldBy: Type.Optional(HeldBy),
});
export const KvAppendResult = record({ key: Key, revision: Revision });

export const KvGetParams = record({
  key: Key,
  revision: Type.Optional(Revision),
  consistency: Type.Optional(Consistency),
});
export const KvGetResult = KeyRecord;

/** Exactly one of `prefix`, and `key` with or without `rangeEnd`; neither is all keys. */
const keySpan = {
  key: Type.Optional(Key),
  rangeEnd: Type.Optional(bytes("With `key`: the keys from `key` up to and without this one.")),
  prefix: Type.Optional(Prefix),
};

export const KvRangeParams = record({
  ...keySpan,
  limit: Type.Optional(
    count(
      "At most so many records (1000 when absent); an answer may end earlier, with `more`.",
      1,
      LIMITS.rangeRecords,
    ),
  ),
  after: Type.Optional(bytes("Begin after this key, in the order asked for; to page by.")),
  order: Type.Optional(Type.Union([Type.Literal("ascend"), Type.Literal("descend")])),
  sortBy: Type.Optional(
    Type.Union(
      [
        Type.Literal("key"),
        Type.Literal("value"),
        Type.Literal("version"),
        Type.Literal("createRevision"),
        Type.Literal("modRevision"),
      ],
      {
        description:
          "By anything but the key, as with bounds on revisions, the range may hold 100,000 records.",
      },
    ),
  ),
  keysOnly: Type.Optional(flag("Leave the values out.")),
  countOnly: Type.Optional(flag("Only count.")),
  revision: Type.Optional(count("Read the past: the keyspace as it was at this revision.", 1)),
  minCreateRevision: Type.Optional(Revision),
  maxCreateRevision: Type.Optional(Revision),
  minModRevision: Type.Optional(Revision),
  maxModRevision: Type.Optional(Revision),
  consistency: Type.Optional(Consistency),
});
export const KvRangeResult = record({
  records: Type.Array(ListedRecord),
  count: count("All keys in the range, whatever the limit."),
  more: flag("Whether the answer ends before the range does."),
  revision: Revision,
});

export const KvDeleteParams = record({
  ...keySpan,
  ...conditions,
  prev: Type.Optional(flag("Answer with the records that were deleted.")),
});
export const KvDeleteResult = record({
  deleted: count("How many keys were deleted."),
  revision: Revision,
  prev: Type.Optional(Type.Array(KeyRecord)),
});
