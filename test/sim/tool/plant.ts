import type { Options } from "./options.js";
export async function plant(_options: Options): Promise<boolean> {
  return false;
}
