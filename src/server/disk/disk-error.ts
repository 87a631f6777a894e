/** What the system says of a file, in the Disk port's words. */
import { DISK_ERROR_CODE, type DiskError, type DiskErrorCode } from "../../base/disk.js";

const CODES: Readonly<Record<string, DiskErrorCode>> = {
  ENOENT: DISK_ERROR_CODE.notFound,
  EEXIST: DISK_ERROR_CODE.exists,
  ENOSPC: DISK_ERROR_CODE.full,
  EDQUOT: DISK_ERROR_CODE.full,
  EFBIG: DISK_ERROR_CODE.full,
  EACCES: DISK_ERROR_CODE.denied,
  EPERM: DISK_ERROR_CODE.denied,
  EROFS: DISK_ERROR_CODE.denied,
  EMFILE: DISK_ERROR_CODE.descriptors,
  ENFILE: DISK_ERROR_CODE.descriptors,
};

export function diskError(error: NodeJS.ErrnoException, path: string): DiskError {
  const code = CODES[error.code ?? ""] ?? DISK_ERROR_CODE.io;
  return { code, path, message: error.message };
}
