/**
 * JSON in and out, with bytes as the HTTP API has them: a field that holds text in UTF-8 has its
 * own name, one that holds other bytes has `Base64` behind it.
 */

const SUFFIX = "Base64";

/** Nothing of prototypes: what is copied here is data. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** `{[name]: text}`, or `{[name + "Base64"]: …}` where the bytes are no UTF-8. */
export function bytesField(name: string, bytes: Uint8Array): Readonly<Record<string, string>> {
  const text = textOf(bytes);
  if (text !== null) return { [name]: text };
  return { [name + SUFFIX]: Buffer.from(bytes).toString("base64") };
}

/** As it is printed: bytes, wherever they stand, in one of the two forms. */
export function printableJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return textOf(value) ?? Buffer.from(value).toString("base64");
  if (Array.isArray(value)) return value.map(printableJson);
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).flatMap(([name, inner]) =>
    inner instanceof Uint8Array
      ? Object.entries(bytesField(name, inner))
      : [[name, printableJson(inner)] as const],
  );
  return Object.fromEntries(entries);
}

/** As it was read: `…Base64` becomes bytes under the name without it. */
export function withBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withBytes);
  if (!isRecord(value)) return value;
  const entries = Object.entries(value).map(([name, inner]) => {
    if (!name.endsWith(SUFFIX) || typeof inner !== "string") return [name, withBytes(inner)];
    return [name.slice(0, -SUFFIX.length), new Uint8Array(Buffer.from(inner, "base64"))];
  });
  return Object.fromEntries(entries);
}
