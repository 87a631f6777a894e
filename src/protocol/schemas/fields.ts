/**
 * The fields that operations are made of. A string marked `x-holdfast: "bytes"` is a byte string
 * within a node and text or bytes outside; one marked `"text"` is UTF-8 text outside. All others
 * are plain ASCII. `maxLength` counts bytes, since checks run on byte strings.
 */
import Type, { type TObject, type TProperties } from "typebox";
import { LIMITS } from "../limits.js";

const SAFE = Number.MAX_SAFE_INTEGER;

/** Parameters and results know their fields exactly: an unknown one is an error. */
export const record = <P extends TProperties>(properties: P, description?: string): TObject<P> =>
  Type.Object(properties, {
    additionalProperties: false,
    ...(description === undefined ? {} : { description }),
  });

/** Text or bytes of up to `maxLength` bytes. */
export const bytes = (description: string, maxLength: number = LIMITS.keyBytes, minLength = 0) =>
  Type.String({ "x-holdfast": "bytes", minLength, maxLength, description });

export const text = (description: string) =>
  Type.String({ "x-holdfast": "text", maxLength: LIMITS.textBytes, description });

/** What somebody says of work, for people: longer than an owner or a label. */
export const remark = (description: string) =>
  Type.String({ "x-holdfast": "text", maxLength: LIMITS.remarkBytes, description });

export const count = (description: string, minimum = 0, maximum = SAFE) =>
  Type.Integer({ minimum, maximum, description });

export const flag = (description: string) => Type.Boolean({ description });

export const Key = bytes("A key.", LIMITS.keyBytes, 1);
export const Prefix = bytes("Every key that begins with it; the empty one is all keys.");
export const Value = bytes("A value.", LIMITS.valueBytes);
export const Name = bytes("A lock's or election's name.", LIMITS.nameBytes, 1);
export const Lease = Type.String({
  pattern: "^(?:[1-9a-f][0-9a-f]{0,14}|[1-7][0-9a-f]{15})$",
  description: "A lease's id: lowercase hex without leading zeros, at most 63 bits.",
});
export const Revision = count("A revision of the keyspace.");
export const Token = count("A fencing token: the create revision of the grant's entry.", 1);
export const TtlMs = count("A lease's time to live.", LIMITS.ttlMinMs, LIMITS.ttlMaxMs);
export const RemainingMs = count("What is left of the lease's time, as the node knows it.");
export const WaitMs = count(
  "How long to wait in line: 0 (as when absent) does not wait, -1 waits without bound.",
  -1,
  LIMITS.waitMaxMs,
);
export const PollMs = count(
  "Cuts a long wait into pieces: answered with `waiting` after so long; ask on under the same id.",
  LIMITS.pollMinMs,
  LIMITS.pollMaxMs,
);
export const Stamp = count("Opaque to the node and echoed: the client's clock at first sending.");
export const Owner = text("Shown to people; decides nothing.");
export const Actor = text("A logical thread within a lease.");
export const Labels = Type.Record(
  Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$" }),
  text("A label."),
  {
    maxProperties: LIMITS.labels,
    additionalProperties: false,
    description: "Shown to people; decide nothing. Their names are 1 to 64 of A-Z a-z 0-9 . _ / -",
  },
);
export const Consistency = Type.Union(
  [Type.Literal("linearizable"), Type.Literal("serializable")],
  {
    description:
      "linearizable (the default): as new as any answer before; serializable: this node's own.",
  },
);

/** A grant by its key, or by name and token. */
export const GrantRef = Type.Union([record({ key: Key }), record({ name: Name, token: Token })]);
export const HeldBy = Type.Union([record({ key: Key }), record({ name: Name, token: Token })], {
  description: "The write happens only while this grant stands: `key`, or `name` and `token`.",
});

export const END_REASONS = [
  "released",
  "expired",
  "revoked",
  "broken",
  "deleted",
  "overdue",
  "moved",
  "forgotten",
] as const;
export const EndReason = Type.Union(
  [
    Type.Literal("released"),
    Type.Literal("expired"),
    Type.Literal("revoked"),
    Type.Literal("broken"),
    Type.Literal("deleted"),
    Type.Literal("overdue"),
    Type.Literal("moved"),
    Type.Literal("forgotten"),
  ],
  { description: "Why a grant or lease ended; forgotten: so long ago that nobody knows." },
);
export const Ended = record({ reason: EndReason }, "Present when it had ended before.");

export const KeyRecord = record(
  {
    key: Key,
    value: Value,
    createRevision: Revision,
    modRevision: Revision,
    version: count("How often it was written since it was created."),
    lease: Type.Optional(Lease),
  },
  "A key with its value and revisions.",
);
/** As {@link KeyRecord}; without a value where only keys were asked for. */
export const ListedRecord = record({
  key: Key,
  value: Type.Optional(Value),
  createRevision: Revision,
  modRevision: Revision,
  version: count("How often it was written since it was created."),
  lease: Type.Optional(Lease),
});

/** Somebody asked a holder to hand over. */
export const Asked = record(
  {
    by: Type.Optional(text("Who asked.")),
    why: Type.Optional(remark("Why.")),
    graceMs: count("What is left of the time it was given; 0: it is over."),
    toKey: Type.Optional(Key),
    breaks: Type.Optional(flag("The grant ends then.")),
  },
  "It was asked to hand over.",
);

/** A line's rule. */
export const Rule = record(
  {
    kind: Type.Union([Type.Literal("lock"), Type.Literal("semaphore")]),
    permits: Type.Optional(count("Of a semaphore: how many may hold at once.", 1)),
    lockDelayMs: Type.Optional(
      count("So long nobody is granted after a holder whose lease ran out."),
    ),
    maxHoldMs: Type.Optional(count("So long a grant may last, whatever its lease.")),
  },
  "What may stand in the line, and how.",
);

export const Holder = record(
  {
    key: Key,
    token: Token,
    lease: Type.Optional(Lease),
    owner: Type.Optional(Owner),
    labels: Type.Optional(Labels),
    actor: Type.Optional(Actor),
    mode: Type.Optional(
      Type.Union([Type.Literal("shared"), Type.Literal("permit")], {
        description: "Absent: exclusive.",
      }),
    ),
    progress: Type.Optional(remark("What its holder says of its work.")),
    asked: Type.Optional(Asked),
    endsInMs: Type.Optional(count("In so long its grant ends, whatever its lease.")),
    shutForMs: Type.Optional(
      count("Its lease has run out; it holds nothing, and for so long nobody else does."),
    ),
    sinceMs: count("How long it has held, or waited, in cluster time."),
  },
  "One who holds, or stands in line.",
);
