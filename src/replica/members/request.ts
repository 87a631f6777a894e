/** What an operator asks of the members, and what comes of it. All strings are byte strings. */
import { formatNodeId } from "../../base/ids.js";
import type { Bytes } from "../../base/ports.js";
import type { LogMember } from "../../log/port/index.js";
import type { Failure } from "../coordinator/index.js";

/** Members that exist are named by id or name: who that is, the leader knows. */
export type MemberRequest =
  | { readonly kind: "add"; readonly name: string; readonly peerUrls: readonly string[] }
  | { readonly kind: "promote"; readonly member: string; readonly replacing: string | null }
  | { readonly kind: "remove"; readonly member: string }
  | { readonly kind: "transfer"; readonly to: string | null };

/** A member as the protocol shows it. */
export interface MemberView {
  readonly id: string;
  readonly name: string;
  readonly role: LogMember["role"];
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
}

/** `member`: whom the change was about, or who leads now; `members`: all, after it. */
export type MemberReply =
  | { readonly ok: true; readonly member: string; readonly members: readonly MemberView[] }
  | { readonly ok: false; readonly failure: Failure };

/** The log has names as text. */
export function viewOf(member: LogMember, bytes: Bytes): MemberView {
  const { id, name, role, peerUrls, clientUrls } = member;
  return {
    id: formatNodeId(id),
    name: bytes.utf8Encode(name),
    role,
    peerUrls: peerUrls.slice(),
    clientUrls: clientUrls.slice(),
  };
}
