/**
 * The border between the text and bytes of the doors and the byte strings of a node. Inbound:
 * text becomes the byte string of its UTF-8 form, binary the byte string of its bytes. Outbound
 * the other way round. Both leave alone what needs no change, which is nearly everything.
 */
import { BYTE_FIELDS } from "holdfast-protocol";
import type { Bytes } from "../../base/ports.js";

/**
 * How a door spells what is not plain text. json: bytes that are no UTF-8 as base64 in a field with
 * that suffix. msgpack: as binary, and integers from 2^32 on as int64.
 */
export type Spelling = "json" | "msgpack";

/** A parameter that cannot be read as what its field holds. */
export class TextError extends Error {
  override readonly name = "TextError";
  readonly field: string;
  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

const BYTES = new Set<string>(BYTE_FIELDS);
const BASE64_SUFFIX = "Base64";
const BASE64_FORM = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
const MAX_DEPTH = 64;
const MAX_INT32 = 0xffff_ffff;
const MIN_INT32 = -0x8000_0000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the point is where ASCII ends.
const BEYOND_ASCII = /[^\u0000-\u007f]/;

type Fields = Record<string, unknown>;

/** True for strings that are the same as text and as bytes. */
export const isAscii = (text: string): boolean => !BEYOND_ASCII.test(text);

export const bytesOf = (array: Uint8Array): string =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("latin1");

/** Marks what goes into a field of the same name with `Base64` after it. */
class InBase64 {
  readonly spelled: string | readonly string[];
  constructor(spelled: string | readonly string[]) {
    this.spelled = spelled;
  }
}

const toBase64 = (bytes: string): string => Buffer.from(bytes, "latin1").toString("base64");

function fromBase64(field: string, value: string): string {
  if (!BASE64_FORM.test(value)) throw new TextError(field, `${field} is not base64`);
  return Buffer.from(value, "base64").toString("latin1");
}

/** The byte field that a field named `…Base64` stands for, or null. */
function plainOf(field: string): string | null {
  if (!field.endsWith(BASE64_SUFFIX)) return null;
  const plain = field.slice(0, -BASE64_SUFFIX.length);
  return BYTES.has(plain) ? plain : null;
}

function moveField(params: Fields, from: string, to: string, value: unknown): void {
  if (Object.hasOwn(params, to))
    throw new TextError(from, `${to} and ${from} cannot both be given`);
  delete params[from];
  params[to] = value;
}

/** One door's border. Stateless; every connection of the door shares it. */
export class Border {
  readonly #bytes: Bytes;
  readonly #json: boolean;

  constructor(bytes: Bytes, spelling: Spelling) {
    this.#bytes = bytes;
    this.#json = spelling === "json";
  }

  /** `text` as the byte string of its UTF-8 form. */
  encode(text: string): string {
    return isAscii(text) ? text : this.#bytes.utf8Encode(text);
  }

  /** A message for people; bytes that are no text are shown as they are. */
  message(text: string): string {
    return isAscii(text) ? text : (this.#bytes.utf8Decode(text) ?? text);
  }

  /**
   * Turns the strings and binary fields within decoded parameters into byte strings, in place.
   * Throws {@link TextError}. What has the wrong type passes: validation tells it by name.
   */
  inward(params: Fields, depth = 0): void {
    if (depth > MAX_DEPTH) throw new TextError("", "the parameters are nested too deeply");
    for (const field of Object.keys(params)) {
      const value = params[field];
      if (typeof value === "string") {
        if (this.#json && field.endsWith(BASE64_SUFFIX)) this.#takeBase64(params, field, value);
        else if (BEYOND_ASCII.test(value)) params[field] = this.#bytes.utf8Encode(value);
      } else if (value instanceof Uint8Array) {
        if (BYTES.has(field)) params[field] = bytesOf(value);
      } else if (Array.isArray(value)) {
        this.#inwardArray(params, field, value, depth);
      } else if (typeof value === "object" && value !== null) {
        this.inward(value as Fields, depth + 1);
      }
    }
  }

  #inwardArray(params: Fields, field: string, items: unknown[], depth: number): void {
    if (depth > MAX_DEPTH) throw new TextError(field, "the parameters are nested too deeply");
    const plain = this.#json ? plainOf(field) : null;
    items.forEach((item, at) => {
      if (typeof item === "string")
        items[at] = plain === null ? this.encode(item) : fromBase64(field, item);
      else if (item instanceof Uint8Array) {
        if (BYTES.has(field)) items[at] = bytesOf(item);
      } else if (Array.isArray(item)) this.#inwardArray({}, "", item, depth + 1);
      else if (typeof item === "object" && item !== null) this.inward(item as Fields, depth + 1);
    });
    if (plain !== null) moveField(params, field, plain, items);
  }

  #takeBase64(params: Fields, field: string, value: string): void {
    const plain = plainOf(field);
    if (plain !== null) moveField(params, field, plain, fromBase64(field, value));
  }

  /**
   * A result, an event or details as the door spells them. Returns `value` itself where it holds
   * nothing to change; never changes it. Fields that are undefined are left out.
   */
  outward<T extends object>(value: T): T {
    return this.#outwardObject(value as Fields) as T;
  }

  #outwardObject(fields: Fields): Fields {
    let copy: Fields | null = null;
    for (const name in fields) {
      const before = fields[name];
      const after = this.#outwardAny(before);
      if (after === before && before !== undefined) continue;
      copy ??= { ...fields };
      if (after instanceof InBase64) {
        delete copy[name];
        copy[name + BASE64_SUFFIX] = after.spelled;
      } else if (after === undefined) delete copy[name];
      else copy[name] = after;
    }
    return copy ?? fields;
  }

  #outwardAny(value: unknown): unknown {
    switch (typeof value) {
      case "string":
        return isAscii(value) ? value : this.#outwardText(value);
      case "number":
        return this.#json || (value <= MAX_INT32 && value >= MIN_INT32) ? value : integer(value);
      case "object":
        if (value === null) return value;
        return Array.isArray(value)
          ? this.#outwardArray(value)
          : this.#outwardObject(value as Fields);
      default:
        return value;
    }
  }

  #outwardText(bytes: string): unknown {
    const text = this.#bytes.utf8Decode(bytes);
    if (text !== null) return text;
    return this.#json ? new InBase64(toBase64(bytes)) : Buffer.from(bytes, "latin1");
  }

  #outwardArray(items: readonly unknown[]): unknown {
    let copy: unknown[] | null = null;
    for (let at = 0; at < items.length; at += 1) {
      const after = this.#outwardAny(items[at]);
      if (after === items[at]) continue;
      if (after instanceof InBase64) return new InBase64(items.map(item => toBase64(String(item))));
      copy ??= [...items];
      copy[at] = after;
    }
    return copy ?? items;
  }
}

/** msgpackr writes numbers beyond 32 bits as floats, and bigints as int64. */
const integer = (value: number): number | bigint =>
  Number.isSafeInteger(value) ? BigInt(value) : value;
