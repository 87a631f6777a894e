/** holdfast-protocol/schemas: the registry and its schemas. Loads TypeBox; see ../index.ts. */
export * from "./fields.js";
export { COMMON_ERRORS, OPERATIONS, type Registry, WRITE_ERRORS } from "./registry.js";
