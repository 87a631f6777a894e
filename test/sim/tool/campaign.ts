import type { Options } from "./options.js";
export async function campaign(_options: Options): Promise<boolean> {
  return false;
}
