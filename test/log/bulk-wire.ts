/**
 * Watches the snapshots that travel between the nodes of a TestCluster, and breaks or alters them.
 * It reads the frames that are written on the connections that nodes dial; the rest it leaves be.
 */
import type { Connection, Network } from "../../src/base/network.js";
import { FRAME, FRAME_HEAD_BYTES } from "../../src/peer/frame.js";
import { nodeChecksum } from "../../src/server/ports/index.js";
import { MemoryConnection } from "../../src/testing/memory-connection.js";
import type { TestCluster } from "./cluster.js";

const CHUNK_OFFSET_BYTES = 8;

/** One stream, from its offer on. */
export interface Stream {
  readonly from: string;
  readonly to: string;
  readonly connection: MemoryConnection;
  /** Where its first chunk began; null before one was sent. */
  begunAt: number | null;
  /** Bytes of content written into it. */
  sentBytes: number;
}

export class BulkWire {
  readonly streams: Stream[] = [];
  /** Called when one is offered, before the offer has left. */
  onStream: (stream: Stream) => void = () => undefined;
  /** Called with each chunk as it is written. The content may be changed in place. */
  onChunk: (stream: Stream, offset: number, content: Uint8Array) => void = () => undefined;
  /** Whether a changed chunk gets a checksum that fits. */
  seals = false;

  /** To be made before the nodes are started. */
  constructor(cluster: TestCluster) {
    const { network } = cluster;
    const host = network.host.bind(network);
    network.host = name => this.#watched(name, host(name));
  }

  /** Bytes of content written into all streams. */
  get sentBytes(): number {
    return this.streams.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  }

  #watched(from: string, network: Network): Network {
    return {
      listen: (address, accepted, done) => network.listen(address, accepted, done),
      connect: (to, timeoutMs, done) =>
        network.connect(to, timeoutMs, (error, connection) => {
          if (connection !== null) this.#watch(from, to.host, connection);
          done(error, connection);
        }),
    };
  }

  #watch(from: string, to: string, connection: Connection): void {
    if (!(connection instanceof MemoryConnection)) throw new Error("a connection in memory");
    const write = connection.write.bind(connection);
    let stream: Stream | null = null;
    connection.write = parts => {
      const bytes = Uint8Array.from(parts.flatMap(part => [...part]));
      for (const frame of framesOf(bytes)) {
        if (frame[FRAME_HEAD_BYTES] === FRAME.bulkBegin) {
          stream = { from, to, connection, begunAt: null, sentBytes: 0 };
          this.streams.push(stream);
          this.onStream(stream);
        }
        if (stream !== null && frame[FRAME_HEAD_BYTES] === FRAME.bulkChunk) {
          this.#chunk(stream, frame);
        }
      }
      return write([bytes]);
    };
  }

  #chunk(stream: Stream, frame: Uint8Array): void {
    const at = FRAME_HEAD_BYTES + 1;
    const view = new DataView(frame.buffer, frame.byteOffset);
    const offset = Number(view.getBigUint64(at, true));
    const content = frame.subarray(at + CHUNK_OFFSET_BYTES);
    stream.begunAt ??= offset;
    stream.sentBytes += content.length;
    this.onChunk(stream, offset, content);
    if (!this.seals) return;
    view.setUint32(4, nodeChecksum.crc32(frame.subarray(FRAME_HEAD_BYTES)), true);
  }
}

/** Views of the frames in what was written at once. */
function* framesOf(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; ) {
    const end = at + FRAME_HEAD_BYTES + view.getUint32(at, true);
    yield bytes.subarray(at, end);
    at = end;
  }
}
