/**
 * What `client.js` beside this defines for the client parts of `binary`, `cbor` and `msgpack`, whose text the plugins put behind its
 * own. A part is a module without imports, so its types are told here.
 */

declare const utf8: TextEncoder;

declare class BinaryWriter {
  bytes: Uint8Array;
  view: DataView;
  length: number;
  room(length: number): number;
  u8(byte: number): void;
  wide(byte: number, bits: 8 | 16 | 32 | 64, value: number): void;
  raw(bytes: Uint8Array): void;
  ascii(head: number, value: string): boolean;
}

declare class BinaryReader {
  at: number;
  readonly format: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  constructor(format: string, data: string | ArrayBuffer | ArrayBufferView);
  skip(length: number): number;
  u8(): number;
  u16(): number;
  u32(): number;
  take(length: number): Uint8Array<ArrayBuffer>;
  text(length: number, decoder: TextDecoder): string;
}

declare function setKey(object: Record<string, any>, key: string, value: any): void;

declare function binaryParser(
  name: string,
  Writer: new () => BinaryWriter & { value(value: any): void },
  Reader: new (data: any) => BinaryReader & { value(): any },
): { name: string; encode(value: any): Uint8Array<ArrayBuffer>; decode(data: any): any };
