/** The shapes that several operations share, by name. Types only; the schemas declare them. */
import type { Static } from "typebox";
import type { Immutable } from "./operations.js";
import type { Leader as LeaderSchema } from "./schemas/election.js";
import type {
  EndReason as EndReasonSchema,
  GrantRef as GrantRefSchema,
  HeldBy as HeldBySchema,
  Holder as HolderSchema,
  KeyRecord as KeyRecordSchema,
} from "./schemas/fields.js";

export type KeyRecord = Immutable<Static<typeof KeyRecordSchema>>;
export type Holder = Immutable<Static<typeof HolderSchema>>;
export type Leader = Immutable<Static<typeof LeaderSchema>>;
export type EndReason = Static<typeof EndReasonSchema>;
/** A grant by its key, or by name and token. */
export type GrantRef = Immutable<Static<typeof GrantRefSchema>>;
/** The grant that a write is bound to. */
export type Guard = Immutable<Static<typeof HeldBySchema>>;
