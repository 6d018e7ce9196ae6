/**
 * @file The client of a transport alone, made to look like a Primus client as far as the core goes: it encodes and decodes,
 * answers the heartbeat, asks for its id and understands `primus::server::close`. It never reconnects.
 *
 * Runs in Node and in pages. Knows what `engine.io-client`, `sockjs-client`, `browserchannel` and `EventSource` have in common;
 * which package, and which of its carriers, is told to it.
 */

/** How long SockJS's client waits for a carrier, in milliseconds: by itself it gives each some hundred. */
export const PATIENCE = 20_000;

/**
 * What a parser of npm's Primus does, as every Primus client has it.
 *
 * @typedef {{ encoder(value: any, done: Function): void, decoder(wire: any, done: Function): void }} Codec
 */

/**
 * What carries it.
 *
 * @typedef {object} Carrier
 * @property {(wire: any) => void} send
 * @property {() => void} close
 */

class Bare {
  #listeners = [];
  #askers = [];
  #opened = false;
  #isFinal = false;
  #sent = Promise.resolve();

  /**
   * @param {Codec} codec
   * @param {(happened: { open(): void, message(wire: any): void, close(): void }) => Carrier} connect
   */
  constructor(codec, connect) {
    this.codec = codec;
    this.carrier = connect({
      open: () => {
        this.#opened = true;
        this.emit('open');
      },
      message: (wire) => this.#receive(wire),
      close: () => {
        this.emit('close');
        // A Primus client would come back, unless it was told not to or never got in.
        if (this.#isFinal || !this.#opened) this.emit('end');
      },
    });
  }

  on(event, listener) {
    this.#listeners.push({ event, listener });
  }

  once(event, listener) {
    this.#listeners.push({ event, listener, once: true });
  }

  emit(event, ...values) {
    const called = this.#listeners.filter((each) => each.event === event);
    this.#listeners = this.#listeners.filter((each) => !(each.once && called.includes(each)));
    for (const { listener } of called) listener(...values);
  }

  write(value) {
    this.codec.encoder(value, (error, wire) => {
      if (error) throw error;
      // BinaryPack makes a `Blob` in a browser, which says what it holds a little later.
      const isBlob = typeof Blob !== 'undefined' && wire instanceof Blob;
      this.#sent = this.#sent.then(async () => this.carrier.send(isBlob ? await wire.arrayBuffer() : wire));
    });
  }

  id(done) {
    this.#askers.push(done);
    this.write('primus::id::');
  }

  end() {
    this.carrier.close();
  }

  #receive(wire) {
    this.codec.decoder(wire, (error, value) => {
      if (error) return this.emit('error', error);
      const [, command, argument] = (typeof value === 'string' && /^primus::(\w+)::(.*)$/s.exec(value)) || [];
      if (command === 'ping') {
        this.emit('incoming::ping', Number(argument));
        this.write(`primus::pong::${argument}`);
      } else if (command === 'id') for (const done of this.#askers.splice(0)) done(argument);
      else if (command === 'server' && argument === 'close') this.#isFinal = true;
      else this.emit('data', value);
    });
  }
}

/** Clients of `engine.io-client`, of any version: `Socket` is what it exports. Version 3 can also poll by scripts. */
export function engineIo(Socket, transports, codec, path = '/primus') {
  return class extends Bare {
    constructor(url) {
      super(codec, ({ open, message, close }) => {
        const { origin, searchParams } = new URL(url);
        const forceJSONP = transports[0] === 'jsonp-polling';
        const query = Object.fromEntries(searchParams);
        const socket = new Socket(origin, { path, transports: forceJSONP ? ['polling'] : transports, forceJSONP, query });
        // One that is to move is open when it has moved.
        socket.once(transports.length > 1 ? 'upgrade' : 'open', open);
        socket.on('message', message);
        socket.on('close', close);
        return socket;
      });
    }
  };
}

/** Clients of `sockjs-client` over one of its carriers. */
export function sockJs(SockJS, carrier, codec, path = '/primus') {
  return class extends Bare {
    constructor(url) {
      super(codec, ({ open, message, close }) => {
        const { origin, search } = new URL(url);
        const socket = new SockJS(`${origin}${path}${search}`, null, { transports: [carrier], timeout: PATIENCE });
        socket.onopen = open;
        socket.onmessage = ({ data }) => message(data);
        socket.onclose = close;
        return socket;
      });
    }
  };
}

/** Clients of `browserchannel`. */
export function browserChannel(BCSocket, codec, path = '/primus') {
  return class extends Bare {
    constructor(url) {
      super(codec, ({ open, message, close }) => {
        const { origin, searchParams } = new URL(url);
        const socket = new BCSocket(`${origin}${path}`, { extraParams: Object.fromEntries(searchParams), reconnect: false });
        socket.onopen = open;
        socket.onmessage = ({ data }) => message(data);
        socket.onclose = close;
        return socket;
      });
    }
  };
}

/** The browser's own `EventSource`, by what it reads; it writes by `fetch`. */
export function eventSource(carrier, codec, path = '/primus') {
  const read = { sockjs: readSockJs, sse: readSse }[carrier];
  return class extends Bare {
    constructor(url) {
      super(codec, (happened) => {
        const { origin, search } = new URL(url);
        return read(`${origin}${path}`, search, happened);
      });
    }
  };
}

/** A stream of SockJS, as far as it need be understood. */
function readSockJs(base, search, { open, message, close }) {
  const session = `${base}/000/${crypto.randomUUID()}`;
  const { source, gone } = streaming(`${session}/eventsource${search}`, close);
  source.onmessage = ({ data }) => {
    const frame = decodeURIComponent(data);
    if (frame === 'o') open();
    else if (frame.startsWith('a')) JSON.parse(frame.slice(1)).forEach(message);
    else if (frame.startsWith('c')) gone();
  };
  return { send: posting((wire) => [`${session}/xhr_send${search}`, JSON.stringify([wire])]), close: () => source.close() };
}

/** A stream of our own. */
function readSse(base, search, { open, message, close }) {
  const { source, gone } = streaming(`${base}/sse${search}`, close);
  let session = '';
  source.addEventListener('open', ({ data }) => {
    // The browser has an event of this name, too, without data.
    if (!data) return;
    ({ session } = JSON.parse(data));
    open();
  });
  source.onmessage = ({ data }) => message(data);
  source.addEventListener('close', gone);
  return { send: posting((wire) => [`${base}/sse?_session=${session}`, wire]), close: () => source.close() };
}

function streaming(url, close) {
  const source = new EventSource(url);
  const gone = () => {
    source.close();
    close();
  };
  // A response at its limit is followed by the next; one that was refused is not.
  source.addEventListener('error', () => source.readyState === EventSource.CLOSED && gone());
  return { source, gone };
}

/** Sends one message after the other. */
function posting(requestOf) {
  let sent = Promise.resolve();
  return (wire) => {
    sent = sent.then(() => {
      const [url, body] = requestOf(wire);
      return fetch(url, { method: 'POST', body });
    });
  };
}
