import type { Options } from "./options.js";
export async function ci(_options: Options): Promise<boolean> {
  return false;
}
