/**
 * The Bytes port over Node's Buffer. Buffer's own latin1 routines work on any Uint8Array, so
 * nothing is wrapped or copied on the way.
 */
import { Buffer, isUtf8 } from "node:buffer";
import type { Bytes } from "../../base/ports.js";

// Public since Node 0.x, used by many, but absent from Node's own type declarations.
interface Latin1Routines {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  latin1Write(this: Uint8Array, text: string, offset: number): number;
}
const { latin1Slice, latin1Write } = Buffer.prototype as unknown as Latin1Routines;

export const nodeBytes: Bytes = {
  allocate(length: number): Uint8Array {
    return new Uint8Array(length);
  },
  latin1Read(from: Uint8Array, start: number, end: number): string {
    return latin1Slice.call(from, start, end);
  },
  latin1Write(into: Uint8Array, offset: number, text: string): void {
    latin1Write.call(into, text, offset);
  },
  utf8Encode(text: string): string {
    return Buffer.from(text, "utf8").toString("latin1");
  },
  utf8Decode(bytes: string): string | null {
    const buffer = Buffer.from(bytes, "latin1");
    return isUtf8(buffer) ? buffer.toString("utf8") : null;
  },
};
