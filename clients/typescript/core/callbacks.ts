/**
 * Users' own callbacks, called from within the client's steps: whatever they throw is their
 * program's uncaught error, and never the client's, which goes on.
 */
export function tell<T>(callback: (told: T) => void, told: T): void {
  try {
    callback(told);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
