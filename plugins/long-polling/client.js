/**
 * How messages stand in the responses of long polling, for `resumable` (see `../sse/resumable/client.js`), whose text goes before
 * this.
 */

/** What a frame is. */
const TEXT = 0;
const BINARY = 1;
const OPEN = 16;
const CLOSE = 17;

export default resumable({
  name: "long-polling",
  path: "/poll",
  streams: false,

  supported() {
    return true;
  },

  async carry(session) {
    const response = await session.get();
    const bytes = await response.arrayBuffer();
    session.alive();
    if (!bytes.byteLength) return;

    const view = new DataView(bytes);
    let number = view.getUint32(0) * 2 ** 32 + view.getUint32(4);
    for (let at = 8; at < bytes.byteLength; ) {
      const kind = view.getUint8(at);
      const begin = at + 5;
      at = begin + view.getUint32(at + 1);
      const payload = bytes.slice(begin, at);
      // A byte order mark at its beginning belongs to it.
      if (kind === TEXT) session.message(number++, new TextDecoder("utf-8", { ignoreBOM: true }).decode(payload));
      else if (kind === BINARY) session.message(number++, payload);
      else if (kind === OPEN) session.open(JSON.parse(new TextDecoder().decode(payload)));
      else if (kind === CLOSE) session.end(JSON.parse(new TextDecoder().decode(payload)));
    }
  },
});
