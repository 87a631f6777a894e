/**
 * A version of the product that is still to come, as its peers see it: it introduces itself with a
 * protocol that nobody here knows. Who upgraded too early, or to what is not compatible, has such a
 * node until it goes back.
 */
import { FRAME, FRAME_HEAD_BYTES } from "../../src/peer/frame.js";
import { PEER_VERSION } from "../../src/peer/hello.js";
import { nodeChecksum } from "../../src/server/ports/index.js";

const CHECKSUM_AT = 4;
/** Behind the type and the magic number. */
const VERSION_AT = FRAME_HEAD_BYTES + 1 + 4;

/** What a later version would send in the place of this frame. */
export function asLater(frame: Uint8Array): Uint8Array {
  const type = frame[FRAME_HEAD_BYTES];
  if (type !== FRAME.hello && type !== FRAME.join) return frame;
  const later = Uint8Array.from(frame);
  const view = new DataView(later.buffer);
  view.setUint16(VERSION_AT, PEER_VERSION + 1, true);
  view.setUint32(CHECKSUM_AT, nodeChecksum.crc32(later.subarray(FRAME_HEAD_BYTES)), true);
  return later;
}
