/** What tests of all kinds take from the checker: recording, checking, the picture. */
export * from "./core/index.js";
export { drawPage } from "./picture/page.js";
